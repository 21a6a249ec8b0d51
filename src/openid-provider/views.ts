/** What the library shows to people, as pages of ours with a button each; its own submit themselves by script. */
import type { Client, KoaContextWithOIDC } from 'oidc-provider';
import type { OpenIdPage, OpenIdPages } from './pages.port.js';

type Html = (ctx: KoaContextWithOIDC, page: OpenIdPage) => Promise<void>;

export interface ViewSources {
  renderError(ctx: KoaContextWithOIDC, out: { error: string; error_description?: string | undefined }): Promise<void>;
  logout(ctx: KoaContextWithOIDC): Promise<void>;
  loggedOut(ctx: KoaContextWithOIDC): Promise<void>;
  deviceCode(ctx: KoaContextWithOIDC, form: string, out?: unknown, error?: unknown): Promise<void>;
  deviceConfirm(
    ctx: KoaContextWithOIDC,
    form: string,
    client: Client,
    deviceInfo: unknown,
    userCode: string,
  ): Promise<void>;
  deviceDone(ctx: KoaContextWithOIDC): Promise<void>;
  leaving: Html;
}

export function createViews(tenantId: string, pages: OpenIdPages): ViewSources {
  const show: Html = async (ctx, page) => {
    ctx.body = await pages.render(tenantId, page, ctx.get('accept-language'));
    ctx.type = 'text/html; charset=utf-8';
    ctx.status = page.status;
  };
  return {
    renderError: (ctx, { error, error_description }) =>
      show(ctx, {
        template: 'openid-error',
        status: ctx.status,
        facts: { error, description: error_description ?? null },
      }),
    logout: (ctx) =>
      show(ctx, {
        template: 'openid-logout',
        status: 200,
        facts: {
          action: ctx.oidc.urlFor('end_session_confirm'),
          xsrf: formSecret(ctx),
          app: ctx.oidc.client?.clientName ?? null,
        },
      }),
    loggedOut: (ctx) => show(ctx, { template: 'openid-logged-out', status: 200, facts: {} }),
    deviceCode: (ctx, _form, _out, error) =>
      show(ctx, {
        template: 'openid-device',
        status: ctx.status === 404 ? 200 : ctx.status,
        facts: {
          action: ctx.oidc.urlFor('code_verification'),
          xsrf: formSecret(ctx),
          userCode: userCodeOf(ctx, error),
          isWrong: Boolean(error),
        },
      }),
    deviceConfirm: (ctx, _form, client, _deviceInfo, userCode) =>
      show(ctx, {
        template: 'openid-device-confirm',
        status: 200,
        facts: {
          action: ctx.oidc.urlFor('code_verification'),
          xsrf: formSecret(ctx),
          userCode,
          app: client.clientName ?? client.clientId,
        },
      }),
    deviceDone: (ctx) =>
      show(ctx, { template: 'openid-device-done', status: 200, facts: { app: ctx.oidc.client?.clientName ?? null } }),
    leaving: show,
  };
}

/** What the library binds its forms to. */
function formSecret(ctx: KoaContextWithOIDC): unknown {
  return (ctx.oidc.session?.state as { secret?: string } | undefined)?.secret ?? '';
}

/** As the guest gave it, or as the link on the device had it, which is shown and not sent by itself. */
function userCodeOf(ctx: KoaContextWithOIDC, error: unknown): string {
  const given = (error as { userCode?: unknown } | undefined)?.userCode ?? ctx.state.userCode;
  return typeof given === 'string' ? given : '';
}
