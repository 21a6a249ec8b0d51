/** Who would stand before a closed door: invitations and guests for whose address no way to prove it is left. */
import { sql } from 'kysely';
import type { RequestContext } from '../../request/request-context.js';
import type { Method, RoutedMethod } from '../identity-providers/routing.rules.js';
import { type DomainPolicy, domainVerdict } from '../tenants/domain-policy.rules.js';
import { openRouting } from './routing.queries.js';

export interface LockedOut {
  /** Open invitations whose address no method is offered for. */
  invitations: number;
  /** Accepted users who can sign in by none of their identities. */
  externalUsers: number;
}

interface InvitedDomain {
  domain: string;
  invitations: number;
  /** Among them: of people who have an account here, from before. */
  withAccount: number;
}

interface AcceptedDomain {
  domain: string;
  /** `<kind> <provider>`, each once. */
  identities: string[];
  users: number;
}

/** As things stand now: counted by domain, so that a directory of any size costs two statements and a routing. */
export async function lockedOut(ctx: RequestContext, tenantId: string): Promise<LockedOut> {
  const [invited, accepted] = await Promise.all([invitedDomains(ctx, tenantId), acceptedDomains(ctx, tenantId)]);
  const routeOf = await openRouting(
    ctx.db,
    tenantId,
    [...invited, ...accepted].map(({ domain }) => domain),
  );
  const methodsOf = (domain: string) => routeOf(domain).methods.map(({ method }) => identityKey(method));
  const stranded = accepted.filter(({ domain, identities }) => {
    const offered = methodsOf(domain);
    return !identities.some((identity) => offered.includes(identity));
  });
  return {
    invitations: invited.reduce((sum, of) => sum + withoutMethod(of, routeOf(of.domain).methods), 0),
    externalUsers: stranded.reduce((sum, { users }) => sum + users, 0),
  };
}

/** What a mutation warns of; empty when nobody is locked out. */
export async function lockOutWarnings(ctx: RequestContext, tenantId: string): Promise<string[]> {
  const { invitations, externalUsers } = await lockedOut(ctx, tenantId);
  return [
    ...(invitations > 0 ? [`${invitations} open invitations have no way left to prove their address.`] : []),
    ...(externalUsers > 0
      ? [`${externalUsers} guests who accepted can sign in by none of the identities they have.`]
      : []),
  ];
}

/** A local account proves the address of those alone who have made one. */
function withoutMethod({ invitations, withAccount }: InvitedDomain, methods: readonly RoutedMethod[]): number {
  if (methods.some(({ method }) => method.kind !== 'LOCAL')) return 0;
  return methods.length > 0 ? invitations - withAccount : invitations;
}

/** As `identity` rows are named by kind and provider. */
export function identityKey({ kind, providerId }: Method): string {
  return `${kind} ${providerId ?? ''}`;
}

async function invitedDomains(ctx: RequestContext, tenantId: string): Promise<InvitedDomain[]> {
  const { rows } = await sql<InvitedDomain>`
    select split_part(email_key, '@', 2) as domain, count(*)::int as invitations,
      count(*) filter (where exists (
        select from identity local
        where local.tenant_id = i.tenant_id and local.external_user_id = i.external_user_id
          and local.sign_in_type = 'LOCAL' and local.subject = i.email_key
      ))::int as "withAccount"
    from invitation i
    where tenant_id = ${tenantId} and status = 'PENDING' and expires_at > ${ctx.clock.now()}
    group by 1`.execute(ctx.db);
  return rows;
}

async function acceptedDomains(ctx: RequestContext, tenantId: string): Promise<AcceptedDomain[]> {
  const { rows } = await sql<AcceptedDomain>`
    select domain, identities, count(*)::int as users
    from (
      select split_part(u.email_key, '@', 2) as domain,
        array(
          select distinct i.sign_in_type || ' ' || i.identity_provider_id from identity i
          where i.external_user_id = u.id order by 1
        ) as identities
      from external_user u
      where u.tenant_id = ${tenantId} and u.state = 'ACCEPTED' and u.account_enabled
    ) person
    group by domain, identities`.execute(ctx.db);
  return rows;
}

/** What a change of the domain policy warns of: open invitations that can be accepted no more. */
export async function stoppedByDomainWarnings(
  ctx: RequestContext,
  policy: DomainPolicy,
  tenantId: string,
): Promise<string[]> {
  const stopped = (await invitedDomains(ctx, tenantId)).filter(({ domain }) => domainVerdict(policy, domain).refusal);
  const count = stopped.reduce((sum, { invitations }) => sum + invitations, 0);
  return count > 0 ? [`${count} open invitations can no longer be accepted, because of their domain.`] : [];
}
