/**
 * Where the library sends a guest whom it has to ask something: to sign in (at the gateway's own page), whether another
 * organisation's app may know them, or that the app is not theirs to open. A GET goes on by itself only when nothing is
 * left to ask; what a guest decides is a form's POST.
 */
import formbody from '@fastify/formbody';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Client, InteractionResults, Provider } from 'oidc-provider';
import { findAppAccess } from '../features/apps/app-access.queries.js';
import { systemActor } from '../kernel/actor.js';
import { equalBytes } from '../kernel/secrets.js';
import { type Ground, RequestContext } from '../request/request-context.js';
import { API_PATH, apiScopes } from './api-resource.js';
import { extrasOf } from './client-adapter.js';
import type { GuestSession, GuestSessions } from './guest-sessions.js';
import type { Issuer, Issuers } from './issuers.js';
import type { OpenIdPage, OpenIdPages } from './pages.port.js';

export interface InteractionOptions {
  ground: Ground;
  issuers: Issuers;
  sessions: GuestSessions;
  pages: OpenIdPages;
}

type Interaction = NonNullable<Awaited<ReturnType<Provider['interactionDetails']>>>;
type Route = { Params: { slug: string; uid: string } };

/** What is at hand for one page or form. */
interface Step {
  ctx: RequestContext;
  issuer: Issuer;
  interaction: Interaction;
  client: Client;
  session: GuestSession | null;
  request: FastifyRequest<Route>;
  reply: FastifyReply;
}

const MAX_FORM_SIZE = 16 * 1024;
const path = '/t/:slug/oauth2/interaction/:uid';

export async function registerInteractionPages(server: FastifyInstance, options: InteractionOptions): Promise<void> {
  await server.register(async (pages) => {
    pages.removeAllContentTypeParsers();
    await pages.register(formbody, { bodyLimit: MAX_FORM_SIZE });
    pages.addHook('onRequest', async (_request, reply) => {
      reply.headers(options.pages.headers);
    });
    pages.get<Route>(path, (request, reply) => withStep(options, request, reply, (step) => ask(options, step)));
    for (const [action, decide] of Object.entries({ accept, refuse })) {
      pages.post<Route>(`${path}/${action}`, (request, reply) =>
        withStep(options, request, reply, async (step) => {
          if (!isOwnForm(step)) return showError(options, step.issuer, request, reply);
          return decide(options, step);
        }),
      );
      // Reached by reloading an answer to a form from the address bar.
      pages.get<Route>(`${path}/${action}`, (request, reply) =>
        reply.redirect(interactionPath(request.params.slug, request.params.uid), 303),
      );
    }
  });
}

async function withStep(
  options: InteractionOptions,
  request: FastifyRequest<Route>,
  reply: FastifyReply,
  work: (step: Step) => Promise<FastifyReply>,
): Promise<FastifyReply> {
  const { ground, issuers, sessions } = options;
  const issuer = await issuers.get(request.params.slug);
  if (!issuer) {
    reply.callNotFound();
    return reply;
  }
  const ctx = new RequestContext(ground, systemActor('OpenID Provider', issuer.tenantId));
  const interaction = await issuer.provider.Interaction.find(request.params.uid);
  const client = await issuer.provider.Client.find(String(interaction?.params.client_id ?? ''));
  if (!interaction || !client || !isBrowserOf(issuer, request, reply))
    return showError(options, issuer, request, reply);
  const session = await sessions.findByCookie(ctx, issuer.tenantId, request.headers.cookie);
  return work({ ctx, issuer, interaction, client, session, request, reply });
}

/** Each kind of question, and what a GET may do about it. */
async function ask(options: InteractionOptions, step: Step): Promise<FastifyReply> {
  const { interaction, session } = step;
  if (interaction.prompt.name === 'login') {
    return session && isSignedInAsAsked(step, session) ? goOn(step, loginOf(session)) : toSignIn(step);
  }
  if (!session) return toSignIn(step);
  if (interaction.prompt.name === 'consent') {
    if (!extrasOf(step.client).consent_required && apiScopesOf(step).length === 0) return goOn(step, { consent: {} });
    return show(options, step, await consentPage(step, session));
  }
  const access = await accessOf(step, session);
  if (access?.isAllowed) return goOn(step, {});
  const facts = { ...formFacts(step), app: step.client.clientName ?? null, email: access?.email ?? '' };
  return show(options, step, { template: 'openid-access', status: 403, facts });
}

async function accept(options: InteractionOptions, step: Step): Promise<FastifyReply> {
  const { interaction, session, issuer, client } = step;
  if (!session || interaction.prompt.name !== 'consent') return showError(options, issuer, step.request, step.reply);
  const jti = issuer.grantIdOf(session, client.clientId);
  const fresh = () => new issuer.provider.Grant({ accountId: session.externalUserId, clientId: client.clientId });
  const grant = (await issuer.provider.Grant.find(jti)) ?? Object.assign(fresh(), { jti });
  grant.addOIDCScope(scopesOf(interaction).join(' '));
  const scopes = apiScopesOf(step);
  if (scopes.length > 0) grant.addResourceScope(String(interaction.params.resource), scopes.join(' '));
  const grantId = await grant.save();
  return leaveTo(options, step, { consent: { grantId } });
}

function refuse(options: InteractionOptions, step: Step): Promise<FastifyReply> {
  return leaveTo(options, step, { error: 'access_denied', error_description: 'the user has no access or refused' });
}

function isSignedInAsAsked(step: Step, session: GuestSession): boolean {
  const hasFactors = !extrasOf(step.client).second_factor_required || session.secondFactorAt !== null;
  return hasFactors && isFreshAsAsked(step, session);
}

/** prompt=login and max_age want a sign-in made for this request. */
function isFreshAsAsked({ interaction }: Step, session: GuestSession): boolean {
  const wantsFresh = interaction.prompt.reasons.some((reason) => reason === 'login_prompt' || reason === 'max_age');
  return !wantsFresh || session.authenticatedAt.getTime() >= interaction.iat * 1000;
}

function loginOf(session: GuestSession): InteractionResults {
  const ts = Math.floor(session.authenticatedAt.getTime() / 1000);
  return { login: { accountId: session.externalUserId, ts, amr: session.amr } };
}

/** The gateway's own pages; they come back here. */
function toSignIn(step: Step): FastifyReply {
  const { issuer, interaction, session, reply } = step;
  const query = new URLSearchParams({ return_to: interactionPath(issuer.slug, interaction.uid) });
  if (session && isFreshAsAsked(step, session)) return reply.redirect(`/t/${issuer.slug}/second-factor?${query}`, 303);
  // Somebody is signed in, but the app wants it done anew.
  if (session) query.set('prompt', 'login');
  return reply.redirect(`/t/${issuer.slug}/sign-in?${query}`, 303);
}

/** A redirect to ourselves: the library answers the app from there. */
async function goOn(step: Step, result: InteractionResults): Promise<FastifyReply> {
  return step.reply.redirect(await finish(step, result), 303);
}

/** After a form: where the library leads next is another origin, so a page stands between. */
async function leaveTo(options: InteractionOptions, step: Step, result: InteractionResults): Promise<FastifyReply> {
  const refreshTo = await finish(step, result);
  const name = step.client.clientName ?? step.client.clientId;
  return show(options, step, { template: 'leaving', status: 200, facts: { refreshTo, name, toApp: false } });
}

/** Whose session it is now counts, not whose it was when the app asked. */
async function finish({ interaction }: Step, result: InteractionResults): Promise<string> {
  delete interaction.session;
  interaction.result = { ...interaction.lastSubmission, ...result };
  await interaction.persist();
  return interaction.returnTo;
}

async function consentPage(step: Step, session: GuestSession): Promise<OpenIdPage> {
  const email = (await accessOf(step, session))?.email ?? '';
  const scopes = [...scopesOf(step.interaction), ...apiScopesOf(step)].map(sentenceOf);
  const facts = { ...formFacts(step), app: step.client.clientName ?? null, email, scopes };
  return { template: 'openid-consent', status: 200, facts };
}

const knownScopes = ['openid', 'profile', 'email', 'groups', 'roles', 'offline_access'];

/** Each with a sentence that tells what it gives away. */
export const consentSentences = [...knownScopes, ...apiScopes].map(sentenceOf);

function sentenceOf(scope: string): string {
  return `web.openid.consent.scopes.${scope}`;
}

function scopesOf({ params }: Interaction): string[] {
  return String(params.scope ?? '')
    .split(' ')
    .filter((scope) => knownScopes.includes(scope));
}

/** What is asked of the API, whose resource the library has checked already. */
function apiScopesOf({ interaction: { params }, client }: Step): string[] {
  if (!extrasOf(client).api_access || typeof params.resource !== 'string' || !params.resource.endsWith(API_PATH))
    return [];
  const asked = String(params.scope ?? '').split(' ');
  return apiScopes.filter((scope) => asked.includes(scope));
}

function accessOf({ ctx, issuer, client }: Step, { externalUserId }: GuestSession) {
  return findAppAccess(ctx.db, { tenantId: issuer.tenantId, externalUserId, appId: client.clientId });
}

function formFacts({ ctx, issuer, interaction }: Step): Record<string, unknown> {
  const here = interactionPath(issuer.slug, interaction.uid);
  const csrf = ctx.secrets.sign('csrf', `openid/${interaction.uid}`).toString('base64url');
  return { csrf, acceptPath: `${here}/accept`, refusePath: `${here}/refuse` };
}

function isOwnForm({ ctx, interaction, request }: Step): boolean {
  const site = request.headers['sec-fetch-site'];
  const given = (request.body as Record<string, unknown> | null | undefined)?.csrf;
  const isSameSite = site !== 'cross-site' && site !== 'same-site';
  const token = Buffer.from(typeof given === 'string' ? given : '', 'base64url');
  return isSameSite && ctx.secrets.verify('csrf', `openid/${interaction.uid}`, token);
}

/** The library set its cookie for this path alone; another browser that learns the address gets nothing. */
function isBrowserOf({ provider }: Issuer, request: FastifyRequest<Route>, reply: FastifyReply): boolean {
  const { cookies } = provider.createContext(request.raw, reply.raw);
  const uid = cookies.get(provider.cookieName('interaction'), { signed: true }) ?? '';
  return equalBytes(Buffer.from(uid), Buffer.from(request.params.uid));
}

function interactionPath(slug: string, uid: string): string {
  return `/t/${slug}/oauth2/interaction/${encodeURIComponent(uid)}`;
}

async function show(
  { pages }: InteractionOptions,
  { issuer, request, reply }: Pick<Step, 'issuer' | 'request' | 'reply'>,
  page: OpenIdPage,
): Promise<FastifyReply> {
  const html = await pages.render(issuer.tenantId, page, request.headers['accept-language']);
  return reply.code(page.status).type('text/html; charset=utf-8').send(html);
}

function showError(
  options: InteractionOptions,
  issuer: Issuer,
  request: FastifyRequest<Route>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const facts = { error: 'invalid_request', description: null };
  return show(options, { issuer, request, reply }, { template: 'openid-error', status: 400, facts });
}
