/** What an operator should know of an address before inviting it: things that are set up, and yet may go wrong. */
import { sql } from 'kysely';
import { patternsCovering } from '../../kernel/domain-patterns.js';
import type { RequestContext } from '../../request/request-context.js';
import { isConsumerDomain } from '../identity-providers/consumer-domains.rules.js';
import type { RoutedMethod } from '../identity-providers/routing.rules.js';
import type { StandsForAddress } from '../invitations/invite.service.js';
import { identityKey } from '../partners/locked-out.queries.js';

export const redemptionWarningCodes = [
  'NO_METHOD',
  'PROVIDER_DISABLED',
  'PROVIDER_METADATA_EXPIRED',
  'PROVIDER_METADATA_NOT_REFRESHED',
  'ORGANIZATION_UNKNOWN',
  'IDENTITIES_NOT_OFFERED',
  'CONSUMER_DOMAIN',
] as const;
export type RedemptionWarningCode = (typeof redemptionWarningCodes)[number];

export interface RedemptionWarning {
  code: RedemptionWarningCode;
  message: string;
}

interface Explained {
  tenantId: string;
  domain: string;
  /** As the guest sees them. */
  methods: readonly RoutedMethod[];
  standing: StandsForAddress | null;
}

export async function findWarnings(ctx: RequestContext, explained: Explained): Promise<RedemptionWarning[]> {
  const { domain, methods } = explained;
  const [disabled, saml, identities] = await Promise.all([
    disabledProviders(ctx, explained),
    samlWarnings(ctx, explained),
    identityWarnings(ctx, explained),
  ]);
  return [
    ...(methods.length === 0 ? [warning('NO_METHOD', 'Every method that fits this address is switched off.')] : []),
    ...disabled.map((name) =>
      warning('PROVIDER_DISABLED', `${name} has this domain and is disabled: it vouches for nobody.`),
    ),
    ...saml,
    ...unknownOrganizations(methods),
    ...identities,
    ...(isConsumerDomain(domain)
      ? [warning('CONSUMER_DOMAIN', 'Anybody can get an address at this domain: it says nothing about an employer.')]
      : []),
  ];
}

function warning(code: RedemptionWarningCode, message: string): RedemptionWarning {
  return { code, message };
}

async function disabledProviders(ctx: RequestContext, { tenantId, domain }: Explained): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select distinct p.display_name as name
    from identity_provider_domain d join identity_provider p on p.id = d.identity_provider_id
    where d.tenant_id = ${tenantId} and d.pattern = any(${patternsCovering(domain)}) and not p.enabled
    order by 1`.execute(ctx.db);
  return rows.map(({ name }) => name);
}

async function samlWarnings(ctx: RequestContext, { tenantId, methods }: Explained): Promise<RedemptionWarning[]> {
  const ids = methods.flatMap(({ method }) => (method.kind === 'SAML' ? [method.providerId] : []));
  if (ids.length === 0) return [];
  const { rows } = await sql<{ name: string; validUntil: Date | null; refreshError: string | null }>`
    select p.display_name as name, s.valid_until as "validUntil", s.refresh_error as "refreshError"
    from saml_provider s join identity_provider p on p.id = s.identity_provider_id
    where s.tenant_id = ${tenantId} and s.identity_provider_id = any(${ids})`.execute(ctx.db);
  return rows.flatMap(({ name, validUntil, refreshError }) => [
    ...(validUntil && validUntil <= ctx.clock.now()
      ? [warning('PROVIDER_METADATA_EXPIRED', `The metadata of ${name} has expired: nobody can sign in there.`)]
      : []),
    ...(refreshError
      ? [warning('PROVIDER_METADATA_NOT_REFRESHED', `The metadata of ${name} could not be read again lately.`)]
      : []),
  ]);
}

function unknownOrganizations(methods: readonly RoutedMethod[]): RedemptionWarning[] {
  return methods
    .filter(({ rule, method }) => rule === 'ENTRA_ORGANIZATION' && method.providerId !== null && method.issuer === null)
    .map(({ method }) =>
      warning(
        'ORGANIZATION_UNKNOWN',
        `Whether this domain is an organisation at ${method.displayName} has not been found out yet. It is asked when the guest starts.`,
      ),
    );
}

/** Somebody who accepted signs in by an identity that is linked, not by the address. */
async function identityWarnings(ctx: RequestContext, { methods, standing }: Explained): Promise<RedemptionWarning[]> {
  if (!standing) return [];
  const { rows } = await sql<{ identity: string }>`
    select i.sign_in_type || ' ' || i.identity_provider_id as identity
    from identity i join external_user u on u.id = i.external_user_id
    where u.id = ${standing.externalUserId} and u.state = 'ACCEPTED'`.execute(ctx.db);
  const offered = methods.map(({ method }) => identityKey(method));
  if (rows.length === 0 || rows.some(({ identity }) => offered.includes(identity))) return [];
  return [warning('IDENTITIES_NOT_OFFERED', 'This person can sign in by none of the identities they have.')];
}
