/** An app that acts for itself: discovery, keys, client credentials. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as client from 'openid-client';
import { HOUR } from '../../src/kernel/clock.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { discover, issuerOf, registerApp } from './relying-party.js';

let gateway: TestGateway;
let tenant: { id: string; slug: string };
let issuer: string;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenant = await gateway.createTenant();
  issuer = issuerOf(gateway, tenant.slug);
});
afterAll(() => gateway.stop());

const service = (input: object = {}) =>
  registerApp(gateway, tenant.id, { redirectUris: [], grantTypes: ['CLIENT_CREDENTIALS'], ...input });

const verify = (token: string, options: object = {}) =>
  jwtVerify(token, createRemoteJWKSet(new URL(`${issuer}/oauth2/jwks`)), { issuer, ...options });

describe('an issuer', () => {
  it('is one per tenant, with its own keys, and tells no private part of them', async () => {
    const other = await gateway.createTenant();
    const keys = async (slug: string) =>
      ((await (await fetch(`${issuerOf(gateway, slug)}/oauth2/jwks`)).json()) as { keys: Record<string, string>[] })
        .keys;
    const [own, others] = [await keys(tenant.slug), await keys(other.slug)];
    expect(own).toEqual([
      {
        kty: 'EC',
        crv: 'P-256',
        use: 'sig',
        alg: 'ES256',
        kid: expect.any(String),
        x: expect.any(String),
        y: expect.any(String),
      },
    ]);
    expect(others.map((key) => key.kid)).not.toEqual(own.map((key) => key.kid));
  });

  it('is discovered under the tenant, with addresses of PUBLIC_URL whatever a caller says', async () => {
    const response = await fetch(`${issuer}/.well-known/openid-configuration`, {
      headers: { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https', forwarded: 'host=evil.example' },
    });
    const document = (await response.json()) as Record<string, unknown>;
    expect(document).toMatchObject({
      issuer,
      token_endpoint: `${issuer}/oauth2/token`,
      authorization_endpoint: `${issuer}/oauth2/authorize`,
      response_types_supported: ['code'],
      response_modes_supported: ['query'],
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
    });
    expect(JSON.stringify(document)).not.toMatch(/evil|HS256/);
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
  });

  it('is there in the way of RFC 8414, too, and nowhere for a slug that is no tenant', async () => {
    const metadata = await fetch(`${gateway.url}/.well-known/oauth-authorization-server/t/${tenant.slug}`);
    expect(((await metadata.json()) as { issuer: string }).issuer).toBe(issuer);
    expect((await fetch(`${issuerOf(gateway, 'nobody')}/.well-known/openid-configuration`)).status).toBe(404);
  });
});

describe('an app that acts for itself', () => {
  it('gets a signed token of its own audience for its secret', async () => {
    const app = await service();
    const config = await discover(issuer, app);
    const tokens = await client.clientCredentialsGrant(config);
    const { payload, protectedHeader } = await verify(tokens.access_token, {
      audience: `urn:vestibule:app:${app.clientId}`,
    });
    expect(protectedHeader).toMatchObject({ alg: 'ES256', typ: 'at+jwt' });
    expect(payload).toMatchObject({ sub: app.clientId, client_id: app.clientId });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(300);
  });

  it.each([
    ['RS256', 'RS256'],
    ['EDDSA', 'EdDSA'],
  ])('gets tokens signed by %s where it asked for that', async (signingAlgorithm, alg) => {
    const app = await service({ signingAlgorithm });
    const tokens = await client.clientCredentialsGrant(await discover(issuer, app));
    expect((await verify(tokens.access_token)).protectedHeader.alg).toBe(alg);
  });

  it('may post its secret', async () => {
    const app = await service({ clientAuthentication: 'CLIENT_SECRET_POST' });
    const config = await discover(issuer, app, client.ClientSecretPost(app.clientSecret));
    expect((await client.clientCredentialsGrant(config)).access_token).toBeTruthy();
  });

  it('is refused with a wrong secret, and as an app of another tenant', async () => {
    const app = await service();
    const wrong = await discover(issuer, { ...app, clientSecret: 'wrong' });
    await expect(client.clientCredentialsGrant(wrong)).rejects.toMatchObject({ status: 401 });
    const other = await gateway.createTenant();
    const elsewhere = await discover(issuerOf(gateway, other.slug), app);
    await expect(client.clientCredentialsGrant(elsewhere)).rejects.toMatchObject({ status: 401 });
  });

  it('may use the secret before the last rotation for a day', async () => {
    const app = await service();
    const { rotateAppSecret } = await gateway.ask(
      'mutation ($input: AppIdInput!) { rotateAppSecret(input: $input) { clientSecret userErrors { code } } }',
      { input: { appId: app.id } },
    );
    const before = await discover(issuer, app);
    const after = await discover(issuer, { ...app, clientSecret: rotateAppSecret.clientSecret });
    expect((await client.clientCredentialsGrant(before)).access_token).toBeTruthy();
    expect((await client.clientCredentialsGrant(after)).access_token).toBeTruthy();
    gateway.clock.advance(25 * HOUR);
    await expect(client.clientCredentialsGrant(before)).rejects.toMatchObject({ status: 401 });
    expect((await client.clientCredentialsGrant(after)).access_token).toBeTruthy();
  });

  it('gets nothing once it is disabled or deleted', async () => {
    const app = await service();
    const config = await discover(issuer, app);
    await gateway.ask(
      'mutation ($input: UpdateAppInput!) { updateApp(input: $input) { app { id } userErrors { code } } }',
      { input: { appId: app.id, enabled: false } },
    );
    await expect(client.clientCredentialsGrant(config)).rejects.toMatchObject({ status: 401 });
  });

  it('may not ask for the audience of another app', async () => {
    const [app, other] = [await service(), await service()];
    const config = await discover(issuer, app);
    const asking = client.clientCredentialsGrant(config, { resource: `urn:vestibule:app:${other.clientId}` });
    await expect(asking).rejects.toMatchObject({ error: 'invalid_target' });
  });
});
