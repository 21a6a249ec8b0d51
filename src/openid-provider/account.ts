/** The library's account of a guest: who it is at one app, asked anew each time, with the claims the app is told. */
import type { Account, FindAccount, KoaContextWithOIDC } from 'oidc-provider';
import { type AppAccess, findAppAccess } from '../features/apps/app-access.queries.js';
import { claimsOf, type Issuer } from './claims.js';
import { sessionOfRequest } from './current-session.js';
import type { TenantContext } from './payload-adapter.js';

export interface GuestAccount extends Account {
  access: AppAccess;
}

/**
 * For a token there is no account unless the guest may use the app now: refreshing, userinfo and exchanging a code end with
 * the access. At the authorization endpoint there is one, and a page tells whom to ask.
 */
export function accountFinder(issuer: Issuer, context: TenantContext): FindAccount {
  return async (ctx, externalUserId, token) => {
    const appId = token?.clientId ?? ctx.oidc.client?.clientId;
    if (appId === undefined) return undefined;
    const identityId = sessionOfRequest(ctx)?.identityId ?? null;
    const key = { tenantId: issuer.tenantId, externalUserId, appId, identityId };
    const access = await findAppAccess(context().db, key);
    if (!access || (token && !access.isAllowed)) return undefined;
    return accountOf(access, issuer);
  };
}

export function accountOf(access: AppAccess, issuer: Issuer): GuestAccount {
  const claims = claimsOf(access, issuer);
  return { accountId: access.externalUserId, access, claims: () => ({ sub: access.externalUserId, ...claims }) };
}

export function accessOf(ctx: KoaContextWithOIDC): AppAccess | null {
  return (ctx.oidc.account as GuestAccount | undefined)?.access ?? null;
}

/** Whether a token is worth anything now, for introspection, which loads no account. */
export async function isAccessLive(
  tenantId: string,
  context: TenantContext,
  token: { accountId?: string | undefined; clientId?: string | undefined },
): Promise<boolean> {
  const { accountId: externalUserId, clientId: appId } = token;
  if (externalUserId === undefined || appId === undefined) return true;
  return (await findAppAccess(context().db, { tenantId, externalUserId, appId }))?.isAllowed ?? false;
}
