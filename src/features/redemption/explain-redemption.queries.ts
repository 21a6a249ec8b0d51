/**
 * What would happen to an address, and which rule says so, before anybody is invited: the same functions that inviting and
 * redeeming ask, read only.
 */
import { domainOf, parseEmailAddress } from '../../kernel/email-address.js';
import { type UserErrorEntry, userErrorEntry } from '../../kernel/errors.js';
import { rowById } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import { isLocalAccount } from '../credentials/local-identity.queries.js';
import type { EntraOrganizations } from '../identity-providers/entra-organizations.service.js';
import type { RoutedMethod } from '../identity-providers/routing.rules.js';
import type { SignInPolicy } from '../identity-providers/sign-in-policy.rules.js';
import { checkAddress } from '../invitations/invitation-request.rules.js';
import { type StandsForAddress, whoStandsFor } from '../invitations/invite.service.js';
import { addressOutOfReach, findDomainsOutOfReach } from '../partners/inviter-reach.queries.js';
import type { PartnerRule } from '../partners/partner-routing.rules.js';
import { openRouting } from '../partners/routing.queries.js';
import { type DomainRule, domainVerdict } from '../tenants/domain-policy.rules.js';
import { Tenant } from '../tenants/tenant.entity.js';
import { findWarnings, type RedemptionWarning } from './redemption-warnings.queries.js';

export interface DomainDecision {
  allowed: boolean;
  rule: DomainRule;
  pattern: string | null;
}

export interface Explanation {
  /** In its normal form; null: no address, and nothing else is known. */
  address: string | null;
  /** Why `inviteUser` would refuse; null: it would not, mail limits aside. */
  inviteRefusal: UserErrorEntry | null;
  domain: DomainDecision | null;
  standing: StandsForAddress | null;
  partner: PartnerRule | null;
  policy: SignInPolicy | null;
  methods: RoutedMethod[];
  warnings: RedemptionWarning[];
}

/** Asks Entra whose the domain is, where that matters and is not known. Null: the tenant is unknown or out of reach. */
export async function explainRedemption(
  ctx: RequestContext,
  organizations: EntraOrganizations,
  tenantId: string,
  email: string,
): Promise<Explanation | null> {
  const tenant = await rowById(ctx, Tenant, tenantId);
  if (!tenant) return null;
  const refusals: UserErrorEntry[] = [];
  checkAddress(email, tenant, (code, field, message) => {
    refusals.push(userErrorEntry(code, { field, ...(message ? { message } : {}) }));
    return null;
  });
  const address = parseEmailAddress(email);
  if (!address) return { ...nothing, inviteRefusal: refusals[0] ?? null };
  const domain = domainOf(address.key);
  await organizations.discover(ctx, tenantId, domain);
  const [standing, routeOf, hasLocalAccount, outOfReach] = await Promise.all([
    whoStandsFor(ctx, tenantId, address.key),
    openRouting(ctx.db, tenantId, [domain]),
    isLocalAccount(ctx.db, { tenantId, emailKey: address.key }),
    findDomainsOutOfReach(ctx.db, ctx.actor, tenantId, [domain]),
  ]);
  const { partner, policy, methods: routed } = routeOf(domain);
  const methods = routed.filter(({ method }) => method.kind !== 'LOCAL' || hasLocalAccount);
  const { refusal, pattern } = domainVerdict(tenant, domain);
  const inviters = outOfReach.has(domain) ? addressOutOfReach() : null;
  const inTheWay = standing?.refusal ? userErrorEntry(standing.refusal, { field: ['email'] }) : null;
  return {
    address: address.address,
    inviteRefusal: refusals[0] ?? inviters ?? inTheWay,
    domain: { allowed: refusal === null, rule: tenant.domainRule, pattern },
    standing,
    partner,
    policy,
    methods,
    warnings: await findWarnings(ctx, { tenantId, domain, methods, standing }),
  };
}

const nothing: Explanation = {
  address: null,
  inviteRefusal: null,
  domain: null,
  standing: null,
  partner: null,
  policy: null,
  methods: [],
  warnings: [],
};
