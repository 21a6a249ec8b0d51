/**
 * An OpenID Connect provider of a partner organisation, for the demo and for tests: real protocol by oidc-provider, our
 * own sign-in page, in which naming an account is enough. Everything lives in memory. Who has an account and what is
 * claimed about them is the caller's; `partner-provider.ts` and `test/support/openid-provider.ts` are the two callers.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import Provider, { type AccountClaims, type ClientMetadata, type Configuration } from 'oidc-provider';
import { MemoryAdapter } from './memory-adapter.js';
import { renderSignInPage } from './sign-in-page.js';

export interface OpenIdProviderOptions {
  /** Shown on the sign-in page. */
  organisation: string;
  /** @default 127.0.0.1: cookies ignore ports, so the provider must not share the gateway's host name. */
  host?: string;
  /** @default any free port */
  port?: number;
  /** Read anew at each request, so clients may be added while it runs. */
  clients: ClientMetadata[];
  /** Claims besides `sub` (`email`, `email_verified`, `name`), or null when nobody has this account. */
  claimsOf(email: string): Omit<AccountClaims, 'sub'> | null;
  /** How the person signed in, as the ID token says (RFC 8176). @default not said */
  amr?(): string[];
  /** Where claims about the person are put. @default id_token */
  claimsIn?: 'id_token' | 'userinfo';
  /** Sees each request first; true when it has taken the response over. */
  intercept?(request: IncomingMessage, response: ServerResponse): boolean;
}

export interface OpenIdProvider {
  issuer: string;
  stop(): Promise<void>;
}

export async function startOpenIdProvider(options: OpenIdProviderOptions): Promise<OpenIdProvider> {
  const { host = '127.0.0.1', port = 0 } = options;
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  const issuer = `http://${host}:${(server.address() as AddressInfo).port}`;
  const provider = new Provider(issuer, configuration(options));
  const handleProtocol = provider.callback();

  server.on('request', (request, response) => {
    if (options.intercept?.(request, response)) return;
    if (!request.url?.startsWith('/interaction/')) return void handleProtocol(request, response);
    handleSignIn(provider, options, request, response).catch(() => answerPage(response, 400, expiredPage(options)));
  });
  return {
    issuer,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function configuration(options: OpenIdProviderOptions): Configuration {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const storage = new Map();
  return {
    adapter: (model) => new MemoryAdapter(model, storage, options.clients),
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig' }] },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    ttl: { AccessToken: 600, Grant: 3600, IdToken: 600, Interaction: 3600, Session: 3600 }, // seconds
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    claims: { openid: ['sub', 'amr'], email: ['email', 'email_verified'], profile: ['name'] },
    conformIdTokenClaims: options.claimsIn === 'userinfo',
    features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: false } },
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_context, subject) => {
      const claims = options.claimsOf(emailOf(subject));
      return claims ? { accountId: subject, claims: () => ({ sub: subject, ...claims }) } : undefined;
    },
    // The organisation trusts its clients: nobody is asked for consent.
    loadExistingGrant: async ({ oidc }) => {
      const grant = new oidc.provider.Grant({
        clientId: oidc.client?.clientId ?? '',
        accountId: oidc.session?.accountId ?? '',
      });
      grant.addOIDCScope('openid email profile');
      await grant.save();
      return grant;
    },
  };
}

/** GET shows the page, POST signs in or cancels. */
async function handleSignIn(
  provider: Provider,
  options: OpenIdProviderOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { params } = await provider.interactionDetails(request, response);
  const page = { organisation: options.organisation, email: String(params.login_hint ?? '') };
  if (request.method !== 'POST') return answerPage(response, 200, renderSignInPage(page));

  const form = new URLSearchParams(await text(request));
  if (form.has('cancel')) {
    const result = { error: 'access_denied', error_description: 'The person cancelled the sign-in.' };
    return provider.interactionFinished(request, response, result);
  }
  const email = (form.get('email') ?? '').trim();
  if (!options.claimsOf(email)) {
    return answerPage(response, 422, renderSignInPage({ ...page, email, problem: 'Nobody here has this address.' }));
  }
  const amr = options.amr?.();
  const login = { accountId: subjectOf(email), ...(amr && { amr }) };
  return provider.interactionFinished(request, response, { login });
}

function expiredPage({ organisation }: OpenIdProviderOptions): string {
  return renderSignInPage({ organisation, expired: true });
}

function answerPage(response: ServerResponse, status: number, html: string): void {
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    'cache-control': 'no-store',
  });
  response.end(html);
}

/** The subject is opaque to clients and reversible here, so that no account needs storing. */
function subjectOf(email: string): string {
  return Buffer.from(email.toLowerCase()).toString('base64url');
}

function emailOf(subject: string): string {
  return Buffer.from(subject, 'base64url').toString();
}
