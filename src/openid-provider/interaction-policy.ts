/**
 * When the library has to ask the guest something before it answers an app. Besides what OpenID Connect demands: a second
 * factor where the app requires it, and access to the app. Consent to the tenant's own apps is implied by the tenant's.
 */
import { type Client, type Grant, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';
import { accessOf } from './account.js';
import { extrasOf } from './client-adapter.js';
import { sessionOfRequest } from './current-session.js';

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

const offlineAccess = 'offline_access';

/** What the guest's session has given to the app, widened by what it asks for now. */
export async function loadGrant(ctx: KoaContextWithOIDC): Promise<Grant | undefined> {
  const { client, session, account, provider } = ctx.oidc;
  if (!client || !session || !account || !accessOf(ctx)?.isAllowed) return undefined;
  const grantId = ctx.oidc.result?.consent?.grantId ?? session.grantIdFor(client.clientId);
  const known = grantId === undefined ? undefined : await provider.Grant.find(grantId);
  if (extrasOf(client).consent_required) return known;
  const isOffline = ctx.oidc.requestParamScopes.has(offlineAccess);
  const fits = known?.accountId === account.accountId && (!isOffline || known.getOIDCScope().includes(offlineAccess));
  const grant = known && fits ? known : new provider.Grant({ accountId: account.accountId, clientId: client.clientId });
  await widen(ctx, grant);
  return grant;
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
  const isChanged = grant.jti === undefined || before !== JSON.stringify([grant.openid, grant.resources]);
  if (isChanged) await grant.save();
}
