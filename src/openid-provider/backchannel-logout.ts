/**
 * Back-channel logout as jobs. The library would tell the apps while the guest waits, one answer of a slow app after the
 * other; here the end of a session queues a job for each app (`access-end.ts`), which is repeated until the app has heard.
 */
import type { Provider } from 'oidc-provider';
import type { RequestContext } from '../request/request-context.js';
import type { BackchannelLogout } from './access-end.js';
import type { Issuer, Issuers } from './issuers.js';

type TellApp = (sub: string, sid: string | undefined) => Promise<unknown>;

/** Takes the telling out of the library's hands. @returns it */
export function logoutByJobs(provider: Provider): Issuer['tellLogout'] {
  const prototype = provider.Client.prototype as unknown as { backchannelLogout: TellApp };
  const tell = prototype.backchannelLogout;
  prototype.backchannelLogout = async () => undefined;
  return async ({ appId, externalUserId, sid }) => {
    const client = await provider.Client.find(appId);
    if (client?.backchannelLogoutUri) await tell.call(client as never, externalUserId, sid ?? undefined);
  };
}

export async function sendBackchannelLogout(
  ctx: RequestContext,
  issuers: Issuers,
  logout: BackchannelLogout,
): Promise<void> {
  const issuer = await issuers.ofTenant(ctx, logout.tenantId);
  await issuer?.tellLogout(logout);
}
