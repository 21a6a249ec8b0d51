/**
 * A fake of a large provider on loopback, with the very claims that one puts into its tokens: what matters of Entra and
 * Google is the shape of their claims and issuers, which no provider library produces. Whoever comes is signed in at once.
 */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';

export interface ClaimsProviderOptions {
  /** The claims besides `iss`, `aud`, `nonce` and times, of who signs in at this path of an issuer. */
  claimsOf(email: string, path: string): JWTPayload;
  /** The issuer's path for what was asked: `/contoso.example/v2.0` may be `/<id>/v2.0`. Null: there is none. @default the same */
  issuerPath?(path: string): string | null;
}

export interface ClaimsProvider {
  /** Without a path. */
  origin: string;
  /** Paths of metadata asked for so far. */
  discoveries: string[];
  /** Form fields of token requests so far. */
  tokenRequests: URLSearchParams[];
  isDown: boolean;
  /** A new signing key from now on; the old one is not published any more. */
  rotateKey(): Promise<void>;
  /** Seconds by which its clock is ahead of ours. */
  clockAhead: number;
  /** Signs in as this person, or as who was hinted. @returns the URL the browser would come back to. */
  signIn(redirectTo: string, email?: string): Promise<URL>;
  stop(): Promise<void>;
}

const WELL_KNOWN = '/.well-known/openid-configuration';

interface Grant {
  email: string;
  path: string;
  nonce: string;
  clientId: string;
  redirectUri: string;
}

export async function startClaimsProvider(options: ClaimsProviderOptions): Promise<ClaimsProvider> {
  const { claimsOf, issuerPath = (path: string) => path } = options;
  const grants = new Map<string, Grant>();
  let key = await newKey();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const provider: ClaimsProvider = {
    origin,
    discoveries: [],
    tokenRequests: [],
    isDown: false,
    clockAhead: 0,
    async rotateKey() {
      key = await newKey();
    },
    async signIn(redirectTo, email) {
      const url = new URL(redirectTo);
      if (email !== undefined) url.searchParams.set('login_hint', email);
      const response = await fetch(url, { redirect: 'manual' });
      return new URL(response.headers.get('location') ?? '');
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', origin);
    if (url.pathname.endsWith(WELL_KNOWN)) {
      provider.discoveries.push(url.pathname);
      const path = issuerPath(url.pathname.slice(0, -WELL_KNOWN.length));
      if (path === null) return answer(response, 400, { error: 'invalid_tenant', error_description: 'AADSTS90002' });
      return answer(response, 200, metadata(`${origin}${path}`));
    }
    if (url.pathname.endsWith('/keys')) return answer(response, 200, { keys: [key.publicJwk] });
    if (url.pathname.endsWith('/authorize')) return authorize(url, response);
    return token(url, new URLSearchParams(await text(request)), response);
  };

  function authorize({ searchParams: asked, pathname }: URL, response: ServerResponse): void {
    const code = randomBytes(16).toString('hex');
    const path = pathname.slice(0, -'/authorize'.length);
    const given = (name: string) => asked.get(name) ?? '';
    const redirectUri = given('redirect_uri');
    grants.set(code, {
      email: given('login_hint'),
      nonce: given('nonce'),
      clientId: given('client_id'),
      redirectUri,
      path,
    });
    const back = new URL(redirectUri);
    back.search = new URLSearchParams({ code, state: asked.get('state') ?? '' }).toString();
    response.writeHead(302, { location: back.href }).end();
  }

  async function token({ pathname }: URL, form: URLSearchParams, response: ServerResponse): Promise<void> {
    provider.tokenRequests.push(form);
    const grant = grants.get(form.get('code') ?? '');
    grants.delete(form.get('code') ?? '');
    const isHere = `${grant?.path}/token` === pathname && grant?.redirectUri === form.get('redirect_uri');
    if (!grant || !isHere) return answer(response, 400, { error: 'invalid_grant' });
    const now = Math.floor(Date.now() / 1000) + provider.clockAhead;
    const { nonce, clientId, email, path } = grant;
    const idToken = await new SignJWT({ nonce, ...claimsOf(email, path) })
      .setProtectedHeader({ alg: 'RS256', kid: key.kid, typ: 'JWT' })
      .setIssuer(`${origin}${path}`)
      .setAudience(clientId)
      .setIssuedAt(now)
      .setNotBefore(now)
      .setExpirationTime(now + 300)
      .sign(key.privateKey);
    return answer(response, 200, { access_token: 'at', token_type: 'Bearer', expires_in: 300, id_token: idToken });
  }

  server.on('request', (request, response) => {
    if (provider.isDown) request.socket.destroy();
    else void handle(request, response);
  });
  return provider;
}

function metadata(issuer: string): object {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/keys`,
    end_session_endpoint: `${issuer}/logout`,
    response_types_supported: ['code'],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['RS256'],
    token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt', 'client_secret_basic'],
  };
}

async function newKey() {
  const { privateKey, publicKey } = await generateKeyPair('RS256');
  const kid = randomBytes(8).toString('hex');
  return { privateKey, kid, publicJwk: { ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' } };
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** An account of Entra as its ID tokens of version 2.0 show it, with the optional claims that proving an address takes. */
export function entraClaims(email: string, path: string, changes: JWTPayload = {}): JWTPayload {
  return {
    acct: 0,
    email,
    name: 'Ana Silva',
    oid: oidOf(email),
    preferred_username: email,
    rh: '0.AAAA',
    sub: `pairwise-${oidOf(email)}`,
    tid: path.split('/')[1] ?? '',
    uti: 'uti',
    ver: '2.0',
    xms_edov: true,
    ...changes,
  };
}

/** An account of Google, as its ID tokens show it. @param hd of a Workspace organisation */
export function googleClaims(email: string, hd?: string): JWTPayload {
  return {
    azp: 'vestibule',
    at_hash: 'HK6E_P6Dh8Y93mRNtsDB1Q',
    email,
    email_verified: true,
    given_name: 'Ana',
    family_name: 'Silva',
    name: 'Ana Silva',
    picture: 'https://lh3.example/photo.jpg',
    sub: String(BigInt(`0x${Buffer.from(email).toString('hex')}`)).slice(0, 21),
    ...(hd === undefined ? {} : { hd }),
  };
}

function oidOf(email: string): string {
  const hex = Buffer.from(email).toString('hex').padEnd(32, '0').slice(0, 32);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
