/**
 * Back-channel logout as jobs. The library would tell the apps while the guest waits, one answer of a slow app after the
 * other; here the end of a session queues a job for each app (`access-end.ts`), which is repeated until the app has heard.
 */
import type { Provider } from 'oidc-provider';
import type { BackchannelLogout } from './access-end.js';

/** Tells an app that a sign-in has ended; does nothing when it does not want to know any more. @throws when it fails */
export type TellLogout = (logout: Omit<BackchannelLogout, 'tenantId'>) => Promise<void>;

type TellApp = (sub: string, sid: string | undefined) => Promise<unknown>;

/** Takes the telling out of the library's hands. @returns it */
export function logoutByJobs(provider: Provider): TellLogout {
  const prototype = provider.Client.prototype as unknown as { backchannelLogout: TellApp };
  const tell = prototype.backchannelLogout;
  prototype.backchannelLogout = async () => undefined;
  return async ({ appId, externalUserId, sid }) => {
    const client = await provider.Client.find(appId);
    if (client?.backchannelLogoutUri) await tell.call(client as never, externalUserId, sid ?? undefined);
  };
}
