/**
 * When the library has to ask the guest something before it answers an app. Besides what OpenID Connect demands: a second
 * factor where the app requires it, and access to the app. Consent to the tenant's own apps is implied by the tenant's.
 */
import { type Client, type Grant, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';
import { accessOf } from './account.js';
import { extrasOf } from './client-adapter.js';
import { sessionOfRequest } from './current-session.js';
import { opaqueName } from './tenant-salts.js';

const { Check, Prompt, base } = interactionPolicy;

export function guestPolicy() {
  const policy = base();
  policy.get('login')?.checks.add(
    new Check('second_factor', 'a second factor is required', 'login_required', (ctx) => {
      const needed = extrasOf(ctx.oidc.client as Client).second_factor_required;
      return needed && !sessionOfRequest(ctx)?.secondFactorAt;
    }),
  );
  const isRefused = (ctx: KoaContextWithOIDC) => !accessOf(ctx)?.isAllowed;
  policy.add(
    new Prompt({ name: 'access' }, new Check('not_assigned', 'the app is not assigned', 'access_denied', isRefused)),
    1,
  );
  return policy;
}

/** Of several tabs that open an app at once each has the same grant: its id follows from session and app. */
export function grantId(salt: string, sessionUid: string, appId: string): string {
  return opaqueName(salt, 'grant', sessionUid, appId);
}

/**
 * What the guest's session has given to the app, widened by what it asks for now. What takes the guest's word, an app of
 * somebody else's or access to the API, is widened by the consent page alone.
 */
export function grantLoader(salt: string, api: string) {
  return async (ctx: KoaContextWithOIDC): Promise<Grant | undefined> => {
    const { client, session, account, provider } = ctx.oidc;
    if (!client || !session || !account || !accessOf(ctx)?.isAllowed) return undefined;
    const id = grantId(salt, session.uid, client.clientId);
    const known = await provider.Grant.find(id);
    if (extrasOf(client).consent_required || ctx.oidc.resourceServers?.[api]) return known;
    const grant = known ?? newGrant(ctx, id);
    await widen(ctx, grant);
    return grant;
  };
}

function newGrant({ oidc }: KoaContextWithOIDC, id: string): Grant {
  const grant = new oidc.provider.Grant({
    accountId: oidc.account?.accountId as string,
    clientId: oidc.client?.clientId as string,
  });
  return Object.assign(grant, { jti: id });
}

/** Everything that is asked for. */
async function widen(ctx: KoaContextWithOIDC, grant: Grant): Promise<void> {
  const { requestParamOIDCScopes, requestParamScopes, requestParamClaims, resourceServers } = ctx.oidc;
  const before = JSON.stringify([grant.openid, grant.resources]);
  grant.addOIDCScope([...requestParamOIDCScopes].join(' '));
  grant.addOIDCClaims([...requestParamClaims]);
  for (const [resource, server] of Object.entries(resourceServers ?? {})) {
    grant.addResourceScope(resource, [...requestParamScopes].filter((scope) => server.scopes.has(scope)).join(' '));
  }
  if (grant.exp !== undefined && before === JSON.stringify([grant.openid, grant.resources])) return;
  // How long it lives depends on what it covers by now.
  Object.assign(grant, { exp: undefined });
  await grant.save();
}
