/** What the OpenID Provider does outside of requests, by task; who runs it is `jobs/`. */
import type { RequestContext } from '../request/request-context.js';
import { BACKCHANNEL_LOGOUT_TASK, type BackchannelLogout } from './access-end.js';
import { sendBackchannelLogout } from './backchannel-logout.js';
import type { Issuers } from './issuers.js';
import { rotateKeys } from './signing-keys.js';

export function openIdTasks(issuers: Issuers) {
  return {
    rotate_signing_keys: (ctx: RequestContext) => rotateKeys(ctx),
    [BACKCHANNEL_LOGOUT_TASK]: (ctx: RequestContext, logout: BackchannelLogout) =>
      sendBackchannelLogout(ctx, issuers, logout),
  };
}
