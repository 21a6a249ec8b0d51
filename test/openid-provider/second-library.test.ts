/** The same flows by a library that shares no code with ours: @badgateway/oauth2-client, and jose for the ID token. */
import { OAuth2Client, type OAuth2Token } from '@badgateway/oauth2-client';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { type Guest, open, signInGuest } from './guest.js';
import { CALLBACK, issuerOf, registerApp } from './relying-party.js';

let gateway: TestGateway;
let issuer: string;
let guest: Guest;
let library: OAuth2Client;
let tokens: OAuth2Token;

beforeAll(async () => {
  gateway = await startTestGateway();
  const tenant = await gateway.createTenant();
  issuer = issuerOf(gateway, tenant.slug);
  guest = await signInGuest(gateway, tenant.id);
  const app = await registerApp(gateway, tenant.id, {
    grantTypes: ['AUTHORIZATION_CODE', 'REFRESH_TOKEN', 'CLIENT_CREDENTIALS'],
  });
  library = new OAuth2Client({
    server: `${issuer}/`,
    discoveryEndpoint: `${issuer}/.well-known/oauth-authorization-server`,
    clientId: app.clientId,
    clientSecret: app.clientSecret,
    authenticationMethod: 'client_secret_basic',
  });
});
afterAll(() => gateway.stop());

describe('a relying party of another make', () => {
  it('signs a guest in by authorization code with PKCE', async () => {
    const codeVerifier = 'v'.repeat(43);
    const authorizeUrl = await library.authorizationCode.getAuthorizeUri({
      redirectUri: CALLBACK,
      state: 'where-it-was',
      codeVerifier,
      scope: ['openid', 'email', 'offline_access'],
      extraParams: { prompt: 'consent' },
    });
    const { url } = await open(guest.browser, authorizeUrl);
    tokens = await library.authorizationCode.getTokenFromCodeRedirect(url as URL, {
      redirectUri: CALLBACK,
      state: 'where-it-was',
      codeVerifier,
    });
    const keys = createRemoteJWKSet(new URL(`${issuer}/oauth2/jwks`));
    const { payload } = await jwtVerify(tokens.idToken as string, keys, { issuer });
    expect(payload).toMatchObject({ sub: guest.externalUserId, email: guest.email });
  });

  it('refreshes, introspects and revokes', async () => {
    tokens = await library.refreshToken(tokens);
    expect(await library.introspect(tokens)).toMatchObject({ active: true });
    await library.revoke(tokens, 'access_token');
    expect(await library.introspect(tokens)).toMatchObject({ active: false });
  });

  it('acts for itself', async () => {
    expect((await library.clientCredentials()).accessToken.split('.')).toHaveLength(3);
  });
});
