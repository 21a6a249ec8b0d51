/**
 * The guest's pages: what a browser sends in, what it is shown. Everything that decides is `features/redemption`; here are
 * cookies, forms, headers and the way from an error to a page. Scripts are neither needed nor allowed, but for passkeys. Neighbours:
 * `link-pages.ts`, `flow-pages.ts`, `saml-pages.ts` and `unsubscribe-pages.ts` hold the routes, `guest-pages.ts` says which page is shown.
 */
import cookie from '@fastify/cookie';
import formbody from '@fastify/formbody';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { stranger } from '../kernel/actor.js';
import { describeFault } from '../kernel/fault.js';
import { networkOf } from '../kernel/network.js';
import { type Ground, RequestContext } from '../request/request-context.js';
import { registerAccountPages } from './account-pages.js';
import { BrowserCookie } from './browser-cookie.js';
import { registerClientKeys } from './client-keys.js';
import { problemOf } from './error-pages.js';
import { registerFlowPages } from './flow-pages.js';
import { problemPage } from './guest-pages.js';
import { languageOf } from './language.js';
import { registerLinkPages } from './link-pages.js';
import { registerLogo } from './logo.js';
import { registerNotFound } from './not-found.js';
import { type Page, scriptedTemplates } from './page.js';
import type { PageRenderer } from './page-renderer.js';
import type { PageServices, PageTools } from './page-tools.js';
import { registerSamlPages } from './saml-pages.js';
import { scriptedPolicy, securityHeaders } from './security-headers.js';
import { registerSecurityPages } from './security-pages.js';
import { SessionCookie } from './session-cookie.js';
import { registerSignInFlowPages } from './sign-in-flow-pages.js';
import { registerSignInPages } from './sign-in-pages.js';
import { registerStepUpPages } from './step-up-pages.js';
import { registerAssets } from './theme.js';
import { registerUnsubscribePages } from './unsubscribe-pages.js';

export interface PagesOptions extends PageServices {
  ground: Ground;
  renderer: PageRenderer;
  /** The folder that holds `web/` and `locales/`. */
  templatesDirectory: string;
}

/** Bytes; the largest form is a passcode and two tokens. */
const MAX_FORM_SIZE = 64 * 1024;

export async function registerPages(server: FastifyInstance, options: PagesOptions): Promise<void> {
  const { ground, renderer, templatesDirectory, ...services } = options;
  const { publicUrl } = services;
  const headers = securityHeaders(publicUrl);
  const tools: PageTools = {
    ...services,
    browserCookie: new BrowserCookie(publicUrl),
    sessionCookie: new SessionCookie(publicUrl),
    context: ({ ip }) => new RequestContext(ground, stranger, ground.log, networkOf(ip)),
    setting: (request) => ({ now: ground.clock.now(), language: languageOf(request.headers['accept-language']) }),
    show: (reply, page) => showPage(renderer, reply, page),
  };
  await registerAssets(server, templatesDirectory);
  registerLogo(server, tools);
  registerNotFound(server, tools, headers);
  await server.register(async (pages) => {
    // Forms only: JSON and plain text are what other kinds of cross-site requests look like.
    pages.removeAllContentTypeParsers();
    await pages.register(cookie);
    await pages.register(formbody, { bodyLimit: MAX_FORM_SIZE });
    pages.addHook('onRequest', async (_request, reply) => {
      reply.headers(headers);
    });
    pages.setErrorHandler((error, request, reply) => showError(tools, ground, error, request, reply));
    registerLinkPages(pages, tools);
    registerFlowPages(pages, tools);
    registerSamlPages(pages, tools);
    registerAccountPages(pages, tools);
    registerClientKeys(pages, tools);
    registerUnsubscribePages(pages, tools);
    registerSecurityPages(pages, tools);
    registerStepUpPages(pages, tools);
    registerSignInPages(pages, tools);
    registerSignInFlowPages(pages, tools);
  });
}

function showPage(renderer: PageRenderer, reply: FastifyReply, page: Page): FastifyReply {
  if (scriptedTemplates.has(page.template)) reply.header('content-security-policy', scriptedPolicy);
  return reply.code(page.status).type('text/html; charset=utf-8').send(renderer.render(page));
}

function showError(
  tools: PageTools,
  { log }: Ground,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const found = problemOf(error);
  const route = request.routeOptions.url;
  if (found.code === 'INTERNAL_SERVER_ERROR') log.error({ route, error: describeFault(error) }, 'a page failed');
  else log.info({ route, code: found.code, detail: (error as { detail?: string }).detail }, 'a page refused');
  if (found.retryAfterSeconds !== null) reply.header('retry-after', found.retryAfterSeconds);
  return tools.show(reply, problemPage(found, tools.setting(request)));
}
