/** What no honest provider library sends: forged, foreign and malformed tokens and metadata. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import type { OpenIdConnectSettings } from '../../../src/features/identity-providers/connector.port.js';
import { createOpenIdConnectConnector } from '../../../src/features/identity-providers/openid-connect.connector.js';
import { UserError } from '../../../src/kernel/errors.js';
import { silentLog } from '../../../src/kernel/log.js';
import { createOutboundClient, type OutboundClient } from '../../../src/outbound/outbound-client.js';

const clientId = 'vestibule';
const clientSecret = 'a client secret of at least thirty-two bytes';
const redirectUri = 'http://localhost:4000/redeem/callback';
const keys = await generateKeyPair('ES256');
const foreignKeys = await generateKeyPair('ES256');

type Sign = (claims: JWTPayload) => string | Promise<string>;

const signed =
  (key: Parameters<SignJWT['sign']>[0] = keys.privateKey, alg = 'ES256'): Sign =>
  (claims) =>
    new SignJWT(claims).setProtectedHeader({ alg, kid: 'k' }).sign(key);

let server: Server;
let outbound: OutboundClient;
let issuer: string;
let preset: OpenIdConnectSettings['preset'];
/** Where the server answers under another name. */
let local: string;
let metadata: Record<string, unknown>;
let claims: JWTPayload;
let userInfo: Record<string, unknown>;
let sign: Sign;
let tokenRequests: { authorization: string | undefined; body: URLSearchParams }[];

beforeEach(async () => {
  server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  local = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  issuer = local;
  preset = 'GENERIC';
  const now = Math.floor(Date.now() / 1000);
  metadata = {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/jwks`,
    userinfo_endpoint: `${issuer}/userinfo`,
    id_token_signing_alg_values_supported: ['ES256', 'HS256', 'none'],
  };
  claims = { iss: issuer, aud: clientId, sub: 's1', email: 'ada@fabrikam.example', iat: now, exp: now + 60 };
  userInfo = { sub: 's1', email: 'ada@fabrikam.example', email_verified: true };
  sign = signed();
  tokenRequests = [];
  server.on('request', async (request, response) => {
    if (request.url === '/token') {
      const body = new URLSearchParams(await text(request));
      tokenRequests.push({ authorization: request.headers.authorization, body });
      json(response, { access_token: 'at', token_type: 'Bearer', id_token: await sign(claims) });
    } else if (request.url === '/jwks') {
      json(response, { keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'k', alg: 'ES256', use: 'sig' }] });
    } else json(response, request.url === '/userinfo' ? userInfo : metadata);
  });
  outbound = createOutboundClient({ allowPrivateProviders: true, log: silentLog, timeoutMilliseconds: 2000 });
});

afterEach(async () => {
  await outbound.close();
  server.closeAllConnections();
  server.close();
});

function json(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** From begin to finish; the provider has `nonce` right unless the claims already hold one. */
async function signIn() {
  const connector = createOpenIdConnectConnector({
    fetch: (url, init) => outbound.fetch(String(url).replace(issuer, local), init),
    allowInsecure: true,
  });
  const provider: OpenIdConnectSettings = {
    id: 'idp_1',
    issuer,
    preset,
    clientId,
    clientSecret,
    clientKey: null,
    scopes: ['email'],
  };
  const { secrets } = await connector.begin(provider, {
    redirectUri,
    loginHint: 'ada@fabrikam.example',
    chooseAccount: false,
  });
  claims = { nonce: secrets.nonce, ...claims };
  const callback = new URL(`${redirectUri}?${new URLSearchParams({ code: 'c', state: secrets.state })}`);
  return connector.finish(provider, { url: callback }, secrets);
}

async function refusalDetail(): Promise<string | undefined> {
  const error = await signIn().catch((thrown: unknown) => thrown);
  if (!(error instanceof UserError)) throw new Error(`Expected a UserError, got ${JSON.stringify(error)}.`);
  expect(error.code).toBe('IDP_UNAVAILABLE');
  return error.detail;
}

test('the same provider behaving well is believed', async () => {
  expect(await signIn()).toMatchObject({ issuer, subject: 's1', email: 'ada@fabrikam.example', emailVerified: false });
});

test.each([
  [
    'without a signature, though the metadata lists "none"',
    () => (payload: JWTPayload) => new UnsecuredJWT(payload).encode(),
  ],
  ['signed by a key that is not published', () => signed(foreignKeys.privateKey)],
  ['signed with the client secret (HS256)', () => signed(new TextEncoder().encode(clientSecret), 'HS256')],
  ['whose signature is cut off', () => async (payload: JWTPayload) => (await signed()(payload)).replace(/[^.]+$/, '')],
  ['that is no token', () => () => 'nonsense'],
] as [string, () => Sign][])('an ID token %s is refused', async (_name, makeSign) => {
  sign = makeSign();
  expect(await refusalDetail()).toBeDefined();
});

test.each([
  ['for another audience', { aud: 'another-client' }],
  ['for several audiences without azp', { aud: [clientId, 'another-client'] }],
  ['authorized for another party', { aud: [clientId, 'another-client'], azp: 'another-client' }],
  ['of another issuer', { iss: 'https://login.fabrikam.example' }],
  ['that has expired', { exp: 1_700_000_000 }],
  ['of another sign-in', { nonce: 'another' }],
])('an ID token %s is refused', async (_name, changes) => {
  claims = { ...claims, ...changes };
  expect(await refusalDetail()).toMatch(/does not verify/);
});

test.each(['sub', 'exp', 'iat', 'aud', 'iss'])('an ID token without %s is refused', async (name) => {
  delete claims[name];
  expect(await refusalDetail()).toMatch(/does not verify/);
});

test.each([
  ['with NUL in it', 's1\u0000'],
  ['that breaks the line', 's1\nadmin'],
  ['of other letters than ASCII has', 'ада'],
  ['longer than 255 characters', 's'.repeat(256)],
])('an ID token with a subject %s is refused', async (_name, sub) => {
  claims.sub = sub;
  expect(await refusalDetail()).toMatch(/no subject/);
});

test('userinfo about somebody else is refused', async () => {
  delete claims.email;
  userInfo.sub = 's2';
  expect(await refusalDetail()).toMatch(/does not verify/);
});

test('an address in userinfo does not borrow its verification from the ID token', async () => {
  delete claims.email;
  claims.email_verified = true;
  delete userInfo.email_verified;
  expect(await signIn()).toMatchObject({ email: 'ada@fabrikam.example', emailVerified: false });
});

test('without address and userinfo endpoint there is an identity without address', async () => {
  delete claims.email;
  delete metadata.userinfo_endpoint;
  expect(await signIn()).toMatchObject({ subject: 's1', email: null, emailVerified: false });
});

test.each(['javascript:alert(1)', '/relative', undefined])(
  'an authorization endpoint %p is refused',
  async (endpoint) => {
    metadata.authorization_endpoint = endpoint;
    expect(await refusalDetail()).toBeDefined();
  },
);

test('the client authenticates by header', async () => {
  await signIn();
  expect(tokenRequests).toMatchObject([{ authorization: expect.stringMatching(/^Basic /) }]);
  expect(tokenRequests[0]?.body.has('client_secret')).toBe(false);
});

test('the client authenticates in the body only where the provider takes nothing else', async () => {
  metadata.token_endpoint_auth_methods_supported = ['client_secret_post'];
  await signIn();
  expect(tokenRequests).toMatchObject([{ authorization: undefined }]);
  expect(tokenRequests[0]?.body.get('client_secret')).toBe(clientSecret);
});

test.each([
  ['its own mailbox', { email: 'ada@gmail.com' }, true],
  ['its own mailbox under the older name', { email: 'ada@googlemail.com' }, true],
  ['a Workspace domain', { email: 'ada@fabrikam.example', hd: 'fabrikam.example' }, true],
  ['a Workspace domain in capitals', { email: 'ada@Fabrikam.example', hd: 'fabrikam.Example' }, true],
  ['an address it once mailed a code to', { email: 'ada@fabrikam.example' }, false],
  ['an address beside its Workspace domain', { email: 'ada@fabrikam.example', hd: 'evil.example' }, false],
  ['a domain below the Workspace domain', { email: 'ada@mail.fabrikam.example', hd: 'fabrikam.example' }, false],
  ['a Workspace domain that is no text', { email: 'ada@fabrikam.example', hd: ['fabrikam.example'] }, false],
])('Google is believed about %s only where it is the authority', async (_what, person, isVerified) => {
  issuer = 'https://accounts.google.com';
  metadata = Object.fromEntries(
    Object.entries(metadata).map(([name, value]) => [
      name,
      typeof value === 'string' ? value.replace(local, issuer) : value,
    ]),
  );
  claims = { ...claims, iss: issuer, email_verified: true, ...person };
  expect(await signIn()).toMatchObject({ issuer, email: person.email, emailVerified: isVerified });
});
