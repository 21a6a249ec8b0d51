/** What the OpenID Provider does outside of requests, by task; who runs it is `jobs/`. */
import type { RequestContext } from '../request/request-context.js';
import { BACKCHANNEL_LOGOUT_TASK, type BackchannelLogout } from './access-end.js';
import type { Issuers } from './issuers.js';
import { rotateKeys } from './signing-keys.js';

export function openIdTasks(issuers: Issuers) {
  return {
    rotate_signing_keys: (ctx: RequestContext) => rotateKeys(ctx),
    [BACKCHANNEL_LOGOUT_TASK]: async (ctx: RequestContext, { tenantId, ...logout }: BackchannelLogout) => {
      const issuer = await issuers.ofTenant(ctx, tenantId);
      await issuer?.tellLogout(logout);
    },
  };
}
