/**
 * A partner's OpenID Connect provider on loopback, with ways to misbehave, and a person without a browser who signs in
 * at it over HTTP. The provider itself is the demo's (`demo/openid-provider.ts`).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ClientMetadata } from 'oidc-provider';
import { type OpenIdProvider, startOpenIdProvider } from '../../demo/openid-provider.js';

export interface TestClient {
  clientId: string;
  /** Null: a public client. */
  clientSecret: string | null;
  redirectUris: string[];
}

export interface TestAccount {
  email: string;
  name?: string;
}

/** May be changed while the provider runs. Paths are those of oidc-provider: `/token`, `/me`, `/jwks`, ... */
export interface Quirks {
  /** Claimed instead of the address that signed in. */
  claimedEmail?: string;
  /** Value of the claim `email_verified`; null leaves the claim out. @default true */
  emailVerified?: unknown;
  /** Value of the claim `amr`. @default none */
  amr?: string[];
  /** Requests to paths with this start are never answered. */
  hangsAt?: string;
  /** Requests to paths with this start get status 500 and an error description. */
  failsAt?: string;
  /** Connections are cut. */
  isDown?: boolean;
}

export interface TestOpenIdProviderOptions {
  host?: string;
  port?: number;
  clients: TestClient[];
  /** @default everybody has an account */
  accounts?: TestAccount[];
  claimsIn?: 'id_token' | 'userinfo';
  quirks?: Quirks;
}

export interface TestOpenIdProvider extends OpenIdProvider {
  quirks: Quirks;
  /** Clients and redirect URIs may be added while it runs. */
  addClient(client: TestClient): void;
  /** Paths requested so far. */
  requests: string[];
}

/** What a failing provider says: never to be repeated by us. */
export const FAILURE_TEXT = 'provider-free-text-with-secrets';

export async function startTestOpenIdProvider(options: TestOpenIdProviderOptions): Promise<TestOpenIdProvider> {
  const quirks: Quirks = options.quirks ?? {};
  const clients = options.clients.map(clientMetadata);
  const requests: string[] = [];
  const provider = await startOpenIdProvider({
    organisation: 'Fabrikam',
    ...(options.host === undefined ? {} : { host: options.host }),
    ...(options.port === undefined ? {} : { port: options.port }),
    ...(options.claimsIn === undefined ? {} : { claimsIn: options.claimsIn }),
    clients,
    amr: () => quirks.amr ?? [],
    claimsOf: (email) => claimsOf(email, options.accounts, quirks),
    intercept: (request, response) => {
      requests.push(request.url ?? '');
      return misbehave(quirks, request, response);
    },
  });
  return { ...provider, quirks, requests, addClient: (client) => clients.push(clientMetadata(client)) };
}

function clientMetadata(client: TestClient): ClientMetadata {
  return {
    client_id: client.clientId,
    ...(client.clientSecret === null ? {} : { client_secret: client.clientSecret }),
    redirect_uris: client.redirectUris,
    token_endpoint_auth_method: client.clientSecret === null ? 'none' : 'client_secret_basic',
  };
}

function claimsOf(email: string, accounts: TestAccount[] | undefined, quirks: Quirks) {
  const account = accounts ? accounts.find((each) => each.email.toLowerCase() === email.toLowerCase()) : { email };
  if (!account) return null;
  const { emailVerified = true } = quirks;
  return {
    email: quirks.claimedEmail ?? account.email,
    ...(emailVerified === null ? {} : { email_verified: emailVerified }),
    ...(account.name === undefined ? {} : { name: account.name }),
  };
}

function misbehave(quirks: Quirks, request: IncomingMessage, response: ServerResponse): boolean {
  const isAt = (path: string | undefined) => path !== undefined && request.url?.startsWith(path) === true;
  if (quirks.isDown) request.socket.destroy();
  else if (isAt(quirks.failsAt)) {
    response.writeHead(500, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: 'server_error', error_description: FAILURE_TEXT }));
  } else return isAt(quirks.hangsAt);
  return true;
}

/** Walks from the authorization request to the callback. @returns the URL the browser would come back to. */
export function signInAt(provider: OpenIdProvider, authorizeUrl: string | URL, email: string): Promise<URL> {
  return walk(provider, authorizeUrl, new URLSearchParams({ email }));
}

/** Presses "Cancel" on the sign-in page. */
export function cancelSignInAt(provider: OpenIdProvider, authorizeUrl: string | URL): Promise<URL> {
  return walk(provider, authorizeUrl, new URLSearchParams({ cancel: '1' }));
}

async function walk(provider: OpenIdProvider, start: string | URL, form: URLSearchParams): Promise<URL> {
  const cookies = new Map<string, string>();
  let url = new URL(start);
  let body: URLSearchParams | null = null;
  for (let step = 0; step < 10; step++) {
    if (url.origin !== provider.issuer) return url;
    const response: Response = await fetch(url, {
      method: body ? 'POST' : 'GET',
      body,
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
    });
    keepCookies(cookies, response);
    const location = response.headers.get('location');
    const page = await response.text();
    if (location) [url, body] = [new URL(location, url), null];
    else if (response.ok && page.includes('name="email"') && !body) body = form;
    else throw new Error(`The provider stopped the sign-in at ${url.pathname}, status ${response.status}: ${page}`);
  }
  throw new Error(`The provider goes in circles at ${url.pathname}.`);
}

/** Names are distinct at this provider, so paths need no attention. */
function keepCookies(cookies: Map<string, string>, response: Response): void {
  for (const line of response.headers.getSetCookie()) {
    const [pair = ''] = line.split(';');
    const equals = pair.indexOf('=');
    const value = pair.slice(equals + 1);
    if (value) cookies.set(pair.slice(0, equals), value);
    else cookies.delete(pair.slice(0, equals));
  }
}
