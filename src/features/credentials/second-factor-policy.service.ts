/** Whether a tenant asks its guests for a second factor. It holds at once, also for who is on the way. */
import { reachTenant } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import { Tenant } from '../tenants/tenant.entity.js';

export async function updateSecondFactorPolicy(
  ctx: RequestContext,
  { tenantId, required }: { tenantId: string; required: boolean },
): Promise<string> {
  const id = await reachTenant(ctx, tenantId);
  await ctx.transaction(id, async ({ em }) => {
    Object.assign(await em.findOneOrFail(Tenant, { id }), { secondFactorRequired: required });
  });
  return id;
}
