/**
 * Back-channel logout as jobs. The library would tell the apps while the guest waits, one answer of a slow app after the
 * other; here the end of a session queues a job for each app (`access-end.ts`), which is repeated until the app has heard.
 */
import type { Client, ClientMetadata, Provider } from 'oidc-provider';
import type { BackchannelLogout } from './access-end.js';
import { joseName } from './signing-keys.js';

/** Tells an app that a sign-in has ended; does nothing when it does not want to know any more. @throws when it fails */
export type TellLogout = (logout: Omit<BackchannelLogout, 'tenantId'>) => Promise<void>;

type TellApp = (sub: string, sid: string | undefined) => Promise<unknown>;

/** Takes the telling out of the library's hands. @returns it */
export function logoutByJobs(provider: Provider): TellLogout {
  const prototype = provider.Client.prototype as unknown as { backchannelLogout: TellApp };
  const tell = prototype.backchannelLogout;
  prototype.backchannelLogout = async () => undefined;
  return async ({ appId, app, externalUserId, sid }) => {
    const client = (await provider.Client.find(appId)) ?? clientAsItWas(provider, { appId, app });
    if (client.backchannelLogoutUri) await tell.call(client as never, externalUserId, sid ?? undefined);
  };
}

/** Of an app that was deleted or disabled: enough to sign a logout token for it, and nothing that proves it is the app. */
function clientAsItWas(provider: Provider, { appId, app }: Pick<BackchannelLogout, 'appId' | 'app'>): Client {
  const hasCode = app.redirectUris.length > 0;
  const metadata: ClientMetadata = {
    client_id: appId,
    token_endpoint_auth_method: 'none',
    redirect_uris: app.redirectUris,
    response_types: hasCode ? ['code'] : [],
    grant_types: hasCode ? ['authorization_code'] : [],
    id_token_signed_response_alg: joseName(app.signingAlgorithm),
    subject_type: app.subjectType === 'PAIRWISE' ? 'pairwise' : 'public',
    backchannel_logout_uri: app.backchannelLogoutUrl,
    backchannel_logout_session_required: true,
  };
  // Its types leave the constructor out.
  const Known = provider.Client as unknown as new (metadata: ClientMetadata) => Client;
  return new Known(metadata);
}
