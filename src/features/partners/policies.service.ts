/** Use cases of a tenant's policies. Each says whom it leaves outside, once it is done: nobody is locked out in silence. */
import { sql } from 'kysely';
import { checkDomains } from '../../request/domain-list.js';
import { reachTenant } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import { Validation } from '../../request/validation.js';
import { checkSignInPolicy, type SignInPolicy } from '../identity-providers/sign-in-policy.rules.js';
import type { DomainRule } from '../tenants/domain-policy.rules.js';
import { Tenant } from '../tenants/tenant.entity.js';
import { ringTenantChanged, type TenantCache } from '../tenants/tenant-cache.service.js';

export interface SignInPolicyChange extends SignInPolicy {
  tenantId: string;
}

export interface DomainPolicyChange {
  tenantId: string;
  rule: DomainRule;
  domains: string[];
}

/** Of a domain policy. */
const MAX_POLICY_DOMAINS = 2000;

export class PoliciesService {
  readonly #tenants: TenantCache;

  constructor(tenants: TenantCache) {
    this.#tenants = tenants;
  }

  async updateSignInPolicy(ctx: RequestContext, input: SignInPolicyChange): Promise<string> {
    const tenantId = await reachTenant(ctx, input.tenantId);
    const valid = new Validation();
    checkSignInPolicy(valid, input);
    valid.done();
    await ctx.transaction(tenantId, async ({ db }) => {
      await sql`
        insert into sign_in_policy (tenant_id, sign_in_order, fallback) values (${tenantId}, ${input.order}, ${input.fallback})
        on conflict (tenant_id) do update set sign_in_order = excluded.sign_in_order, fallback = excluded.fallback`.execute(
        db,
      );
    });
    return tenantId;
  }

  async updateDomainPolicy(ctx: RequestContext, input: DomainPolicyChange): Promise<string> {
    const tenantId = await reachTenant(ctx, input.tenantId);
    const { rule: domainRule } = input;
    const valid = new Validation();
    const domainPatterns = checkDomains(valid, input.domains, MAX_POLICY_DOMAINS);
    if (domainRule === 'ALLOW_LISTED' && input.domains.length === 0)
      valid.add('REQUIRED', ['domains'], 'An empty list would let nobody in. Give at least one domain.');
    valid.done();
    await ctx.transaction(tenantId, async (tx) => {
      Object.assign(await tx.em.findOneOrFail(Tenant, { id: tenantId }), { domainRule, domainPatterns });
      await ringTenantChanged(tx, tenantId);
    });
    this.#tenants.forget(tenantId);
    return tenantId;
  }
}
