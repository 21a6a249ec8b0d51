/**
 * Orders, the app that guests are invited to: a relying party as its developer would write it, by openid-client. It trusts
 * one issuer, Contoso's at the gateway, and shows what it is told about whoever signed in. docs/openid-provider.md walks
 * through the same steps.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as client from 'openid-client';
import { renderOrdersPage } from './orders-page.js';

/** What Contoso got when it registered the app. */
export interface Registration {
  issuer: string;
  clientId: string;
  clientSecret: string;
}

export interface OrdersApp {
  url: string;
  /** Where the gateway has the app begin a sign-in. */
  initiateLoginUrl: string;
  redirectUri: string;
  /** Before anybody comes. */
  connect(registration: Registration): Promise<void>;
  stop(): void;
}

/** One browser's: a sign-in under way, or who is signed in. */
interface Visit {
  checks?: client.AuthorizationCodeGrantChecks;
  claims?: client.IDToken;
  idToken?: string;
}

const COOKIE = 'orders';
const SCOPE = 'openid profile email groups roles';

export async function startOrdersApp(port: number): Promise<OrdersApp> {
  const visits = new Map<string, Visit>();
  let app: Relying | null = null;
  const server = createServer(async (request, response) => {
    try {
      if (!app) throw new Error('The app is not connected yet.');
      await app.answer(request, response, visitOf(visits, request, response));
    } catch (error) {
      send(response, 400, renderOrdersPage({ title: 'Orders cannot sign you in', text: (error as Error).message }));
    }
  });
  await once(server.listen(port, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return {
    url,
    initiateLoginUrl: `${url}sign-in`,
    redirectUri: `${url}callback`,
    async connect({ issuer, clientId, clientSecret }) {
      const execute = [client.allowInsecureRequests]; // http, because all of the demo is on this machine
      const config = await client.discovery(new URL(issuer), clientId, clientSecret, undefined, { execute });
      app = new Relying(config, url);
    },
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

class Relying {
  readonly #config: client.Configuration;
  readonly #url: string;

  constructor(config: client.Configuration, url: string) {
    this.#config = config;
    this.#url = url;
  }

  async answer(request: IncomingMessage, response: ServerResponse, visit: Visit): Promise<void> {
    const url = new URL(request.url ?? '/', this.#url);
    if (url.pathname === '/callback') return this.#finish(url, visit, response);
    if (url.pathname === '/sign-out') return this.#signOut(visit, response);
    if (url.pathname === '/sign-in') return this.#begin(url.searchParams.get('iss'), visit, response);
    if (!visit.claims) return redirect(response, `${this.#url}sign-in`);
    const title = `You have landed, ${visit.claims.name ?? visit.claims.email}`;
    send(response, 200, renderOrdersPage({ title, text: 'This is Orders, an app of Contoso.', claims: visit.claims }));
  }

  /** @param iss who sends the guest here; nobody else's sign-in is begun (OpenID Connect Core 1.0 section 4). */
  async #begin(iss: string | null, visit: Visit, response: ServerResponse): Promise<void> {
    if (iss !== null && iss !== this.#config.serverMetadata().issuer)
      throw new Error('Orders does not know this issuer.');
    const pkceCodeVerifier = client.randomPKCECodeVerifier();
    visit.checks = { pkceCodeVerifier, expectedState: client.randomState(), expectedNonce: client.randomNonce() };
    const to = client.buildAuthorizationUrl(this.#config, {
      redirect_uri: `${this.#url}callback`,
      scope: SCOPE,
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
      state: visit.checks.expectedState as string,
      nonce: visit.checks.expectedNonce as string,
    });
    redirect(response, to.href);
  }

  async #finish(url: URL, visit: Visit, response: ServerResponse): Promise<void> {
    if (!visit.checks) return redirect(response, this.#url);
    const tokens = await client.authorizationCodeGrant(this.#config, url, visit.checks);
    delete visit.checks;
    visit.claims = tokens.claims() as client.IDToken;
    visit.idToken = tokens.id_token as string;
    redirect(response, this.#url);
  }

  #signOut(visit: Visit, response: ServerResponse): void {
    const hint = visit.idToken === undefined ? {} : { id_token_hint: visit.idToken };
    delete visit.claims;
    delete visit.idToken;
    redirect(response, client.buildEndSessionUrl(this.#config, { ...hint, post_logout_redirect_uri: this.#url }).href);
  }
}

function visitOf(visits: Map<string, Visit>, request: IncomingMessage, response: ServerResponse): Visit {
  const id = new RegExp(`(?:^|; )${COOKIE}=([\\w-]+)`).exec(request.headers.cookie ?? '')?.[1] ?? randomUUID();
  const visit = visits.get(id) ?? {};
  visits.set(id, visit);
  response.setHeader('set-cookie', `${COOKIE}=${id}; Path=/; HttpOnly; SameSite=Lax`);
  return visit;
}

function redirect(response: ServerResponse, to: string): void {
  response.writeHead(303, { location: to }).end();
}

function send(response: ServerResponse, status: number, html: string): void {
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
  });
  response.end(html);
}
