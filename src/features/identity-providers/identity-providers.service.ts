/**
 * Use cases of identity providers, and what a redemption asks of them: who may vouch, and how to reach them. Routing an
 * address is `routing.rules.ts`, speaking the protocols the connectors; what only SAML has is `saml-providers.service.ts`.
 */
import { sql } from 'kysely';
import type { Row } from '../../database/table.js';
import type { Db, Tx } from '../../database/transaction.js';
import { refuse, type UserError } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import type { Secrets } from '../../kernel/secrets.js';
import { checkDomains } from '../../request/domain-list.js';
import { reachTenant, rowById, tenantOf } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import { Validation } from '../../request/validation.js';
import type { IdentityProviderKind } from '../external-users/identity.entity.js';
import type { OpenIdConnectSettings, ProviderSettings, SamlSettings } from './connector.port.js';
import { IdentityProvider } from './identity-provider.entity.js';
import { replaceDomains } from './identity-provider-domains.js';
import { checkClientId, checkClientSecret, checkIssuer, checkScopes } from './identity-provider-rules.js';
import { samlProviderOf } from './identity-providers.queries.js';
import {
  type NewSaml,
  openPrivateKey,
  type PreparedSaml,
  type SamlChange,
  type SamlProviders,
} from './saml-providers.service.js';

export interface NewIdentityProvider {
  tenantId: string;
  kind: IdentityProviderKind;
  displayName: string;
  domains: string[];
  oidc?: { issuer: string; clientId: string; clientSecret?: string | null; scopes: string[] } | null;
  saml?: SamlChange | null;
}

export interface IdentityProviderChange {
  identityProviderId: string;
  displayName?: string | null;
  domains?: string[] | null;
  enabled?: boolean | null;
  oidc?: {
    issuer?: string | null;
    clientId?: string | null;
    clientSecret?: string | null;
    scopes?: string[] | null;
  } | null;
  saml?: SamlChange | null;
}

export interface IdentityProvidersOptions {
  /** Permits issuers on http. */
  allowPrivateProviders: boolean;
  saml: SamlProviders;
}

/** A checked provider of any kind; what a kind does not have is empty. */
interface CheckedProvider {
  displayName: string;
  domains: string[];
  issuer: string;
  clientId: string | null;
  clientSecret: string | null;
  scopes: string[];
  saml: NewSaml | null;
}

export class IdentityProvidersService {
  readonly #allowInsecure: boolean;
  readonly #saml: SamlProviders;

  constructor({ allowPrivateProviders, saml }: IdentityProvidersOptions) {
    this.#allowInsecure = allowPrivateProviders;
    this.#saml = saml;
  }

  async create(ctx: RequestContext, input: NewIdentityProvider): Promise<string> {
    const tenantId = await reachTenant(ctx, input.tenantId);
    const { clientSecret, domains, saml, ...provider } = await this.#check(ctx, input);
    const id = newId('IdentityProvider');
    await ctx.transaction(tenantId, async (tx) => {
      await sql`
        insert into identity_provider (id, tenant_id, kind, display_name, issuer, client_id, sealed_client_secret, scopes,
          enabled, created_at)
        values (${id}, ${tenantId}, ${input.kind}, ${provider.displayName}, ${provider.issuer}, ${provider.clientId},
          ${sealSecret(ctx.secrets, id, clientSecret)}, ${provider.scopes}, true, ${ctx.clock.now()})`.execute(tx.db);
      if (saml) await this.#saml.insert(ctx, tx, id, saml);
      await replaceDomains(tx, id, domains);
    });
    return id;
  }

  async update(ctx: RequestContext, input: IdentityProviderChange): Promise<string> {
    const id = input.identityProviderId;
    const tenantId = await tenantOfProvider(ctx, id);
    const { change, clientSecret, domains, saml } = await this.#checkChange(ctx, input);
    await ctx.transaction(tenantId, async (tx) => {
      Object.assign(await tx.em.findOneOrFail(IdentityProvider, { id }, { failHandler: unknownProvider }), change);
      if (saml) await this.#saml.change(ctx, tx, id, saml);
      if (clientSecret !== undefined) await storeSecret(ctx, tx, id, clientSecret);
      if (domains) await replaceDomains(tx, id, domains);
    });
    return id;
  }

  /** Its domains go with it. Identities it vouched for stay, and open nothing. @returns the provider as it was */
  async delete(ctx: RequestContext, id: string): Promise<Row<IdentityProvider>> {
    const tenantId = await tenantOfProvider(ctx, id);
    const provider = await rowById(ctx, IdentityProvider, id);
    if (!provider) throw unknownProvider();
    await ctx.transaction(tenantId, async ({ db }) => {
      await sql`delete from identity_provider where tenant_id = ${tenantId} and id = ${id}`.execute(db);
    });
    return provider;
  }

  #check(ctx: RequestContext, input: NewIdentityProvider): Promise<CheckedProvider> {
    if (input.kind === 'OIDC') return this.#checkOpenIdConnect(input);
    if (input.kind === 'SAML') return this.#checkSaml(ctx, input);
    throw refuse('INVALID', { field: ['kind'], message: 'Only OIDC and SAML providers can be configured.' });
  }

  async #checkOpenIdConnect({ oidc, saml, displayName, domains }: NewIdentityProvider): Promise<CheckedProvider> {
    if (saml) throw otherKind('saml');
    if (!oidc) throw refuse('REQUIRED', { field: ['oidc'], message: 'Give issuer and client of the OIDC provider.' });
    const valid = new Validation();
    const provider = {
      displayName: valid.name(displayName, 'displayName'),
      domains: checkDomains(valid, domains),
      issuer: checkIssuer(valid, oidc.issuer, this.#allowInsecure),
      clientId: checkClientId(valid, oidc.clientId),
      clientSecret: checkClientSecret(valid, oidc.clientSecret ?? null),
      scopes: checkScopes(valid, oidc.scopes),
      saml: null,
    };
    valid.done();
    return provider;
  }

  async #checkSaml(
    ctx: RequestContext,
    { oidc, saml, displayName, domains }: NewIdentityProvider,
  ): Promise<CheckedProvider> {
    if (oidc) throw otherKind('oidc');
    if (!saml) throw refuse('REQUIRED', { field: ['saml'], message: 'Give the metadata of the SAML provider.' });
    const valid = new Validation();
    const common = { displayName: valid.name(displayName, 'displayName'), domains: checkDomains(valid, domains) };
    const prepared = await this.#saml.prepareNew(ctx, valid, saml);
    const { entityId: issuer } = prepared.source.metadata;
    return { ...common, issuer, clientId: null, clientSecret: null, scopes: [], saml: prepared };
  }

  async #checkChange(ctx: RequestContext, input: IdentityProviderChange) {
    const { displayName, domains, enabled, oidc } = input;
    await checkKind(ctx, input);
    const valid = new Validation();
    const { issuer, clientId, clientSecret, scopes } = oidc ?? {};
    const checked = {
      change: {
        ...(displayName != null && { displayName: valid.name(displayName, 'displayName') }),
        ...(enabled != null && { enabled }),
        ...(issuer != null && { issuer: checkIssuer(valid, issuer, this.#allowInsecure) }),
        ...(clientId != null && { clientId: checkClientId(valid, clientId) }),
        ...(scopes != null && { scopes: checkScopes(valid, scopes) }),
      },
      clientSecret: clientSecret === undefined ? undefined : checkClientSecret(valid, clientSecret),
      domains: domains == null ? null : checkDomains(valid, domains),
    };
    const saml = await this.#checkSamlChange(ctx, valid, input);
    valid.done();
    if (saml?.source) checked.change.issuer = saml.source.metadata.entityId;
    return { ...checked, saml };
  }

  async #checkSamlChange(
    ctx: RequestContext,
    valid: Validation,
    { identityProviderId: id, saml }: IdentityProviderChange,
  ): Promise<PreparedSaml | null> {
    if (!saml) return null;
    return this.#saml.prepare(ctx, valid, saml, await samlProviderOf(ctx, id));
  }
}

/** @throws UserError INVALID at the settings of another kind than the provider's own. */
async function checkKind(
  ctx: RequestContext,
  { identityProviderId, oidc, saml }: IdentityProviderChange,
): Promise<void> {
  const kind = (await rowById(ctx, IdentityProvider, identityProviderId))?.kind;
  if (oidc && kind !== 'OIDC') throw otherKind('oidc');
  if (saml && kind !== 'SAML') throw otherKind('saml');
}

function otherKind(field: 'oidc' | 'saml'): UserError {
  return refuse('INVALID', { field: [field], message: 'These are the settings of another kind of provider.' });
}

/** Sealed for this provider alone: copied to another row it does not open. */
function sealContext(providerId: string): string {
  return `identity_provider:${providerId}`;
}

function sealSecret(secrets: Secrets, providerId: string, secret: string | null): Buffer | null {
  return secret === null ? null : secrets.seal(secret, sealContext(providerId));
}

async function storeSecret(ctx: RequestContext, tx: Tx, id: string, secret: string | null): Promise<void> {
  await sql`
    update identity_provider set sealed_client_secret = ${sealSecret(ctx.secrets, id, secret)} where id = ${id}`.execute(
    tx.db,
  );
}

function tenantOfProvider(ctx: RequestContext, id: string): Promise<string> {
  return tenantOf(ctx, 'IdentityProvider', IdentityProvider, id, 'identityProviderId');
}

function unknownProvider(): UserError {
  return refuse('NOT_FOUND', { field: ['identityProviderId'] });
}

export type LoadedProvider = ProviderSettings & { displayName: string; enabled: boolean };

type LoadedAs<Settings> = Settings & Pick<LoadedProvider, 'displayName' | 'enabled'>;

/** What a connector needs, with the secrets opened; null when the tenant has no such provider. */
export async function loadProviderSettings(
  db: Db,
  secrets: Secrets,
  tenantId: string,
  providerId: string,
): Promise<LoadedProvider | null> {
  return (
    (await loadOpenIdConnect(db, secrets, tenantId, providerId)) ??
    (await loadSamlSettings(db, secrets, tenantId, providerId))
  );
}

async function loadOpenIdConnect(
  db: Db,
  secrets: Secrets,
  tenantId: string,
  providerId: string,
): Promise<LoadedAs<OpenIdConnectSettings> | null> {
  const { rows } = await sql<Omit<LoadedAs<OpenIdConnectSettings>, 'clientSecret'> & { sealed: Buffer | null }>`
    select id, issuer, client_id as "clientId", sealed_client_secret as sealed, scopes, display_name as "displayName", enabled
    from identity_provider where tenant_id = ${tenantId} and id = ${providerId} and kind = 'OIDC'`.execute(db);
  const [row] = rows;
  if (!row) return null;
  const { sealed, ...provider } = row;
  return { ...provider, clientSecret: sealed && secrets.open(sealed, sealContext(providerId)) };
}

/** Null also for a provider of another kind. */
export async function loadSamlSettings(
  db: Db,
  secrets: Secrets,
  tenantId: string,
  providerId: string,
): Promise<LoadedAs<SamlSettings> | null> {
  const { rows } = await sql<Omit<LoadedAs<SamlSettings>, 'privateKey'> & { sealed: Buffer }>`
    select p.id, p.issuer, p.display_name as "displayName", p.enabled, s.sso_url as "ssoUrl",
      s.signing_certificates as "signingCertificates", s.valid_until as "validUntil", s.name_id_format as "nameIdFormat",
      s.email_attribute as "emailAttribute", s.display_name_attribute as "displayNameAttribute",
      s.subject_attribute as "subjectAttribute", s.certificate, s.sealed_private_key as sealed
    from identity_provider p join saml_provider s on s.identity_provider_id = p.id
    where p.tenant_id = ${tenantId} and p.id = ${providerId} and p.kind = 'SAML'`.execute(db);
  const [row] = rows;
  if (!row) return null;
  const { sealed, ...provider } = row;
  return { ...provider, privateKey: openPrivateKey(secrets, providerId, sealed) };
}
