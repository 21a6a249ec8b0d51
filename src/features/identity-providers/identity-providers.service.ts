/**
 * Use cases of identity providers, and what a redemption asks of them: who may vouch, and how to reach them. Routing an
 * address is `routing.rules.ts`, speaking the protocols the connectors; what only SAML has is `saml-providers.service.ts`.
 */
import { sql } from 'kysely';
import type { Row } from '../../database/table.js';
import type { Db } from '../../database/transaction.js';
import { refuse, type UserError } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import type { Secrets } from '../../kernel/secrets.js';
import { checkDomains } from '../../request/domain-list.js';
import { reachTenant, rowById, tenantOf } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import { Validation } from '../../request/validation.js';
import type { IdentityProviderKind } from '../external-users/identity.entity.js';
import type { ProviderSettings, SamlSettings } from './connector.port.js';
import { IdentityProvider } from './identity-provider.entity.js';
import { replaceDomains } from './identity-provider-domains.js';
import { samlProviderOf } from './identity-providers.queries.js';
import {
  applyOpenIdConnect,
  type CheckedOpenIdConnect,
  checkChange,
  checkDomainsOf,
  checkNew,
  loadOpenIdConnect,
  type NewOpenIdConnect,
  type OpenIdConnectChange,
} from './openid-connect-providers.service.js';
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
  trustsSecondFactor: boolean;
  oidc?: NewOpenIdConnect | null;
  saml?: SamlChange | null;
}

export interface IdentityProviderChange {
  identityProviderId: string;
  displayName?: string | null;
  domains?: string[] | null;
  enabled?: boolean | null;
  trustsSecondFactor?: boolean | null;
  oidc?: OpenIdConnectChange | null;
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
  oidc: CheckedOpenIdConnect | null;
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
    const { displayName, domains, oidc, saml } = await this.#check(ctx, input);
    const { kind } = input;
    const id = newId('IdentityProvider');
    await ctx.transaction(tenantId, async (tx) => {
      await sql`
        insert into identity_provider (id, tenant_id, kind, display_name, issuer, scopes, enabled, trusts_second_factor,
          created_at)
        values (${id}, ${tenantId}, ${kind}, ${displayName}, ${saml?.source.metadata.entityId ?? null}, '{}', true,
          ${input.trustsSecondFactor}, ${ctx.clock.now()})`.execute(tx.db);
      if (oidc) await applyOpenIdConnect(ctx, await tx.em.findOneOrFail(IdentityProvider, { id }), oidc);
      if (saml) await this.#saml.insert(ctx, tx, id, saml);
      await replaceDomains(tx, id, domains);
    });
    return id;
  }

  async update(ctx: RequestContext, input: IdentityProviderChange): Promise<string> {
    const id = input.identityProviderId;
    const tenantId = await tenantOfProvider(ctx, id);
    const { change, oidc, domains, saml } = await this.#checkChange(ctx, input);
    await ctx.transaction(tenantId, async (tx) => {
      const provider = await tx.em.findOneOrFail(IdentityProvider, { id }, { failHandler: unknownProvider });
      Object.assign(provider, change);
      if (oidc) await applyOpenIdConnect(ctx, provider, oidc);
      if (saml) await this.#saml.change(ctx, tx, id, saml);
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
      oidc: checkNew(valid, oidc, domains, this.#allowInsecure),
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
    return { ...common, oidc: null, saml: prepared };
  }

  async #checkChange(ctx: RequestContext, input: IdentityProviderChange) {
    const { displayName, domains, enabled, trustsSecondFactor, oidc } = input;
    const { preset } = await knownProvider(ctx, input);
    const valid = new Validation();
    const change: Partial<Pick<IdentityProvider, 'displayName' | 'enabled' | 'trustsSecondFactor' | 'issuer'>> = {
      ...(displayName != null && { displayName: valid.name(displayName, 'displayName') }),
      ...(enabled != null && { enabled }),
      ...(trustsSecondFactor != null && { trustsSecondFactor }),
    };
    const checked = {
      oidc: oidc ? checkChange(valid, oidc, preset, this.#allowInsecure) : null,
      domains: domains == null ? null : checkDomains(valid, domains),
    };
    if (domains != null) checkDomainsOf(valid, preset, domains);
    const saml = await this.#checkSamlChange(ctx, valid, input);
    valid.done();
    if (saml?.source) change.issuer = saml.source.metadata.entityId;
    return { change, ...checked, saml };
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
async function knownProvider(
  ctx: RequestContext,
  { identityProviderId, oidc, saml }: IdentityProviderChange,
): Promise<Row<IdentityProvider>> {
  const provider = await rowById(ctx, IdentityProvider, identityProviderId);
  if (!provider) throw unknownProvider();
  if (oidc && provider.kind !== 'OIDC') throw otherKind('oidc');
  if (saml && provider.kind !== 'SAML') throw otherKind('saml');
  return provider;
}

function otherKind(field: 'oidc' | 'saml'): UserError {
  return refuse('INVALID', { field: [field], message: 'These are the settings of another kind of provider.' });
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
