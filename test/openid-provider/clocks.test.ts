/** Apps whose clock is off: what a proof they sign may say of its time, as docs/openid-provider.md tells them. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { issuerOf, registerApp, type TestApp } from './relying-party.js';

let gateway: TestGateway;
let issuer: string;
let app: TestApp;
let signer: TestApp;
let key: CryptoKey;
let jwk: JWK;

beforeAll(async () => {
  gateway = await startTestGateway();
  const tenant = await gateway.createTenant();
  issuer = issuerOf(gateway, tenant.slug);
  const pair = await generateKeyPair('ES256', { extractable: true });
  key = pair.privateKey;
  jwk = { ...(await exportJWK(pair.publicKey)), kid: 'one', alg: 'ES256' };
  const service = { grantTypes: ['CLIENT_CREDENTIALS'], redirectUris: [] };
  app = await registerApp(gateway, tenant.id, service);
  const jwks = JSON.stringify({ keys: [jwk] });
  signer = await registerApp(gateway, tenant.id, { ...service, clientAuthentication: 'PRIVATE_KEY_JWT', jwks });
});
afterAll(() => gateway.stop());

const ask = (body: Record<string, string>, headers: Record<string, string> = {}) =>
  fetch(`${issuer}/oauth2/token`, {
    method: 'POST',
    headers,
    body: new URLSearchParams({ grant_type: 'client_credentials', ...body }),
  });

/** Valid for a minute, by a clock that is this many seconds ahead. */
async function askBySigning(ahead: number): Promise<number> {
  const now = Math.floor(Date.now() / 1000) + ahead;
  const times = { iat: now, nbf: now, exp: now + 60 };
  const assertion = await new SignJWT({ ...times, jti: randomUUID(), iss: signer.clientId, sub: signer.clientId })
    .setAudience(issuer)
    .setProtectedHeader({ alg: 'ES256', kid: 'one' })
    .sign(key);
  const { status } = await ask({
    client_id: signer.clientId,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  });
  return status;
}

async function askWithDpop(ahead: number): Promise<{ status: number; error?: string }> {
  const claims = { htm: 'POST', htu: `${issuer}/oauth2/token`, jti: randomUUID() };
  const { kid: _kid, ...publicKey } = jwk;
  const proof = await new SignJWT({ ...claims, iat: Math.floor(Date.now() / 1000) + ahead })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: publicKey })
    .sign(key);
  const authorization = `Basic ${Buffer.from(`${app.clientId}:${app.clientSecret}`).toString('base64')}`;
  const response = await ask({}, { dpop: proof, authorization });
  return { status: response.status, error: ((await response.json()) as { error: string }).error };
}

describe('a client assertion is taken', () => {
  it.each([
    ['on time', 0, 200],
    ['from a clock 10 seconds ahead', 10, 200],
    ['from a clock a minute ahead, whose nbf is to come', 60, 401],
    ['from a clock a minute behind, which has just run out', -60, 200],
    ['from a clock two minutes behind', -120, 401],
  ])('or not: %s', async (_what, ahead, status) => {
    expect(await askBySigning(ahead)).toBe(status);
  });
});

describe('a DPoP proof is taken', () => {
  it.each([-240, -60, 0, 60, 240])('with an iat that is %i seconds off', async (ahead) => {
    expect((await askWithDpop(ahead)).status).toBe(200);
  });

  it.each([-360, 360])('but not with one that is %i seconds off', async (ahead) => {
    expect(await askWithDpop(ahead)).toEqual({ status: 400, error: 'invalid_dpop_proof' });
  });
});
