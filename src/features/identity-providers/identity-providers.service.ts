/**
 * Use cases of identity providers, and what a redemption asks of them: who may vouch, and how to reach them. Routing an
 * address is `routing.rules.ts`, speaking the protocol `openid-connect.connector.ts`.
 */
import { sql } from 'kysely';
import type { Row } from '../../database/table.js';
import type { Db, Tx } from '../../database/transaction.js';
import { refuse, type UserError } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import type { Secrets } from '../../kernel/secrets.js';
import { reachTenant, rowById, tenantOf } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import { Validation } from '../../request/validation.js';
import type { IdentityProviderKind } from '../external-users/identity.entity.js';
import type { ProviderSettings } from './connector.port.js';
import { IdentityProvider } from './identity-provider.entity.js';
import { checkDomains, replaceDomains } from './identity-provider-domains.js';
import { checkClientId, checkClientSecret, checkIssuer, checkScopes } from './identity-provider-rules.js';
import type { RouteCandidate } from './routing.rules.js';

export interface NewIdentityProvider {
  tenantId: string;
  kind: IdentityProviderKind;
  displayName: string;
  domains: string[];
  oidc?: { issuer: string; clientId: string; clientSecret?: string | null; scopes: string[] } | null;
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
}

export interface IdentityProvidersOptions {
  /** Permits issuers on http. */
  allowPrivateProviders: boolean;
}

export class IdentityProvidersService {
  readonly #allowInsecure: boolean;

  constructor({ allowPrivateProviders }: IdentityProvidersOptions) {
    this.#allowInsecure = allowPrivateProviders;
  }

  async create(ctx: RequestContext, input: NewIdentityProvider): Promise<string> {
    const tenantId = await reachTenant(ctx, input.tenantId);
    const { clientSecret, domains, ...provider } = this.#check(input);
    const id = newId('IdentityProvider');
    await ctx.transaction(tenantId, async (tx) => {
      await sql`
        insert into identity_provider (id, tenant_id, kind, display_name, issuer, client_id, sealed_client_secret, scopes,
          enabled, created_at)
        values (${id}, ${tenantId}, ${input.kind}, ${provider.displayName}, ${provider.issuer}, ${provider.clientId},
          ${sealSecret(ctx.secrets, id, clientSecret)}, ${provider.scopes}, true, ${ctx.clock.now()})`.execute(tx.db);
      await replaceDomains(tx, id, domains);
    });
    return id;
  }

  async update(ctx: RequestContext, input: IdentityProviderChange): Promise<string> {
    const id = input.identityProviderId;
    const tenantId = await tenantOfProvider(ctx, id);
    const { change, clientSecret, domains } = this.#checkChange(input);
    await ctx.transaction(tenantId, async (tx) => {
      Object.assign(await tx.em.findOneOrFail(IdentityProvider, { id }, { failHandler: unknownProvider }), change);
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

  #check(input: NewIdentityProvider) {
    const { kind, oidc } = input;
    if (kind !== 'OIDC')
      throw refuse('INVALID', { field: ['kind'], message: 'Only OIDC providers can be configured.' });
    if (!oidc) throw refuse('REQUIRED', { field: ['oidc'], message: 'Give issuer and client of the OIDC provider.' });
    const valid = new Validation();
    const provider = {
      displayName: valid.name(input.displayName, 'displayName'),
      domains: checkDomains(valid, input.domains),
      issuer: checkIssuer(valid, oidc.issuer, this.#allowInsecure),
      clientId: checkClientId(valid, oidc.clientId),
      clientSecret: checkClientSecret(valid, oidc.clientSecret ?? null),
      scopes: checkScopes(valid, oidc.scopes),
    };
    valid.done();
    return provider;
  }

  #checkChange({ displayName, domains, enabled, oidc }: IdentityProviderChange) {
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
    valid.done();
    return checked;
  }
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

export interface ProviderCandidate extends RouteCandidate {
  kind: IdentityProviderKind;
  displayName: string;
  issuer: string | null;
}

/** What `routeAddress` chooses from: the patterns of the tenant's enabled providers. */
export async function providersForDomain(db: Db, tenantId: string): Promise<ProviderCandidate[]> {
  const { rows } = await sql<ProviderCandidate>`
    select p.id as "providerId", d.pattern, p.kind, p.display_name as "displayName", p.issuer
    from identity_provider_domain d join identity_provider p on p.id = d.identity_provider_id
    where d.tenant_id = ${tenantId} and p.enabled`.execute(db);
  return rows;
}

export type LoadedProvider = ProviderSettings & { displayName: string; enabled: boolean };

interface SealedProvider extends Omit<LoadedProvider, 'clientSecret'> {
  sealed: Buffer | null;
}

/** What a connector needs, with the secret opened; null when the tenant has no such provider. */
export async function loadProviderSettings(
  db: Db,
  secrets: Secrets,
  tenantId: string,
  providerId: string,
): Promise<LoadedProvider | null> {
  const { rows } = await sql<SealedProvider>`
    select id, issuer, client_id as "clientId", sealed_client_secret as sealed, scopes, display_name as "displayName", enabled
    from identity_provider where tenant_id = ${tenantId} and id = ${providerId} and kind = 'OIDC'`.execute(db);
  const [row] = rows;
  if (!row) return null;
  const { sealed, ...provider } = row;
  return { ...provider, clientSecret: sealed && secrets.open(sealed, sealContext(providerId)) };
}
