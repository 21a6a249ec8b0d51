/** Apps that sign: where their public keys come from, and where the gateway does not go for them. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { exportJWK, generateKeyPair } from 'jose';
import * as client from 'openid-client';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { discover, issuerOf, registerApp } from './relying-party.js';

let gateway: TestGateway;
let careful: TestGateway;
let keyServer: Server;
let jwksUrl: string;
let authentication: client.ClientAuth;
let asked = 0;

beforeAll(async () => {
  gateway = await startTestGateway({ env: { ALLOW_PRIVATE_APPS: 'true' } });
  careful = await startTestGateway();
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const keys = [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' }];
  authentication = client.PrivateKeyJwt({ key: privateKey as client.CryptoKey, kid: 'one' });
  keyServer = createServer((_request, response) => {
    asked++;
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys }));
  });
  await once(keyServer.listen(0, '127.0.0.1'), 'listening');
  jwksUrl = `http://127.0.0.1:${(keyServer.address() as AddressInfo).port}/keys`;
});
afterAll(async () => {
  await gateway.stop();
  await careful.stop();
  keyServer.close();
});

async function tokenAt(at: TestGateway): Promise<string> {
  const tenant = await at.createTenant();
  const settings = { clientAuthentication: 'PRIVATE_KEY_JWT', grantTypes: ['CLIENT_CREDENTIALS'], redirectUris: [] };
  const app = await registerApp(at, tenant.id, { ...settings, jwksUrl });
  const config = await discover(issuerOf(at, tenant.slug), app, authentication);
  return (await client.clientCredentialsGrant(config)).access_token;
}

it('an app shows its keys at an address of its own', async () => {
  expect(await tokenAt(gateway)).toBeTruthy();
  expect(asked).toBe(1);
});

it('the gateway goes to no private address for them unless it is told to', async () => {
  await expect(tokenAt(careful)).rejects.toThrow();
  expect(asked).toBe(1);
});

it('an app that signs gives public keys, in one way', async () => {
  const tenant = await gateway.createTenant();
  const register = async (input: object) => {
    const { data } = await gateway.gql(
      'mutation ($input: RegisterAppInput!) { registerApp(input: $input) { app { id } userErrors { field code } } }',
      {
        input: {
          tenantId: tenant.id,
          displayName: `App ${Math.random()}`,
          homePageUrl: 'https://orders.contoso.example/',
          clientAuthentication: 'PRIVATE_KEY_JWT',
          ...input,
        },
      },
    );
    return data.registerApp.userErrors;
  };
  const publicKey = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y' };
  const jwks = (key: object) => JSON.stringify({ keys: [key] });
  expect(await register({})).toEqual([{ field: ['jwks'], code: 'REQUIRED' }]);
  expect(await register({ jwks: jwks(publicKey), jwksUrl })).toEqual([{ field: ['jwks'], code: 'REQUIRED' }]);
  expect(await register({ jwks: jwks({ ...publicKey, d: 'private' }) })).toEqual([
    { field: ['jwks'], code: 'INVALID' },
  ]);
  expect(await register({ jwks: 'nonsense' })).toEqual([{ field: ['jwks'], code: 'INVALID' }]);
  expect(
    await register({ jwks: jwks(publicKey), accessTokenLifetimeSeconds: 301, refreshTokenLifetimeDays: 0 }),
  ).toEqual([
    { field: ['accessTokenLifetimeSeconds'], code: 'INVALID' },
    { field: ['refreshTokenLifetimeDays'], code: 'INVALID' },
  ]);
  expect(await register({ jwks: jwks(publicKey), subjectType: 'PAIRWISE' })).toEqual([
    { field: ['subjectType'], code: 'INVALID' },
  ]);
});
