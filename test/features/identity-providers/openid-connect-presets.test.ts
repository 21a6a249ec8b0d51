/** Entra, Google and Microsoft accounts by their own claims: who is believed about which address. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { JWTPayload } from 'jose';
import { createClientKey } from '../../../src/features/identity-providers/client-authentication.js';
import type { OpenIdConnectSettings } from '../../../src/features/identity-providers/connector.port.js';
import { createOpenIdConnectConnector } from '../../../src/features/identity-providers/openid-connect.connector.js';
import type { OpenIdConnectPreset } from '../../../src/features/identity-providers/openid-connect-presets.rules.js';
import { UserError } from '../../../src/kernel/errors.js';
import { silentLog } from '../../../src/kernel/log.js';
import { createOutboundClient, type OutboundClient } from '../../../src/outbound/outbound-client.js';
import { type ClaimsProvider, entraClaims, googleClaims, startClaimsProvider } from '../../support/claims-provider.js';

const redirectUri = 'https://gateway.example/sign-in/callback/idp_1';
const TID = '3f1d0c52-1111-4222-8333-444455556666';
const OTHER_TID = '9a9a9a9a-1111-4222-8333-444455556666';
const CONSUMERS = '9188040d-6c67-4c5b-b112-36a304b66dad';
const ana = 'ana@fabrikam.example';

let provider: ClaimsProvider;
let outbound: OutboundClient;
let claims: (email: string, path: string) => JWTPayload;

beforeEach(async () => {
  claims = entraClaims;
  provider = await startClaimsProvider({ claimsOf: (email, path) => claims(email, path) });
  outbound = createOutboundClient({ allowPrivateProviders: true, log: silentLog, timeoutMilliseconds: 2000 });
});
afterEach(async () => {
  await outbound.close();
  await provider.stop();
});

function settingsOf(preset: OpenIdConnectPreset, path: string, changes: Partial<OpenIdConnectSettings> = {}) {
  const client = { clientId: 'vestibule', clientSecret: 'a secret', clientKey: null, scopes: ['email', 'profile'] };
  return { id: 'idp_1', issuer: `${provider.origin}${path}`, preset, ...client, ...changes };
}

const newConnector = () => createOpenIdConnectConnector({ fetch: outbound.fetch, allowInsecure: true });

async function signIn(settings: OpenIdConnectSettings, email = ana, connector = newConnector()) {
  const { redirectTo, secrets } = await connector.begin(settings, {
    redirectUri,
    loginHint: email,
    chooseAccount: false,
  });
  return connector.finish(settings, { url: await provider.signIn(redirectTo) }, secrets);
}

describe('an organisation of Entra', () => {
  const entra = () => settingsOf('ENTRA', `/${TID}/v2.0`);
  const changed = (changes: JWTPayload) => {
    claims = (email, path) => entraClaims(email, path, changes);
    return signIn(entra());
  };

  it('is believed about its own people when it has proven their domain; they are known by tid and oid', async () => {
    expect(await signIn(entra())).toEqual({
      issuer: `${provider.origin}/${TID}/v2.0`,
      subject: expect.stringMatching(new RegExp(`^${TID}\\.[0-9a-f-]{36}$`)),
      email: ana,
      emailVerified: true,
      displayName: 'Ana Silva',
      isMultiFactor: false,
      lacksAddressProof: true,
    });
  });

  it.each([true, 1, '1', 'true'])('says that the domain is proven by xms_edov %p', async (value) => {
    expect(await changed({ xms_edov: value })).toMatchObject({ emailVerified: true });
  });

  it.each([
    ['without xms_edov', { xms_edov: undefined }],
    ['whose domain is not proven', { xms_edov: false }],
    ['with another word in xms_edov', { xms_edov: 'yes' }],
    ['that does not say whose account it is', { acct: undefined }],
    ['with email_verified, which Entra never sends', { xms_edov: undefined, email_verified: true }],
  ])('is not believed about an address %s, but a passcode can complete it', async (_name, changes) => {
    expect(await changed(changes)).toMatchObject({ email: ana, emailVerified: false, lacksAddressProof: true });
  });

  it.each([
    ['a guest there', { acct: 1 }],
    ['a guest there, as text', { acct: '1' }],
    ['at home elsewhere', { acct: undefined, idp: 'https://sts.windows.net/other/' }],
  ])('is not believed about who is %s, with or without a passcode', async (_name, changes) => {
    expect(await changed(changes)).toMatchObject({ emailVerified: false });
    expect(await changed(changes)).not.toHaveProperty('lacksAddressProof');
  });

  it('never takes upn or preferred_username for the address', async () => {
    expect(await changed({ email: undefined, upn: ana, preferred_username: ana })).toMatchObject({
      email: null,
      emailVerified: false,
    });
  });

  it.each([
    ['of another organisation', { tid: OTHER_TID }],
    ['without an organisation', { tid: undefined }],
    ['without a person', { oid: undefined }],
    ['with a person that is no id', { oid: 'ana' }],
  ])('a token %s is refused', async (_name, changes) => {
    const refused = await changed(changes).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(UserError);
    expect((refused as UserError).code).toBe('IDP_UNAVAILABLE');
  });

  it("another organisation's token is refused, though the same keys sign it", async () => {
    const connector = newConnector();
    const request = { redirectUri, loginHint: ana, chooseAccount: false };
    const { redirectTo, secrets } = await connector.begin(entra(), request);
    const elsewhere = redirectTo.replace(`/${TID}/`, `/${OTHER_TID}/`);
    const url = await provider.signIn(elsewhere);
    await expect(connector.finish(entra(), { url }, secrets)).rejects.toThrow('IDP_UNAVAILABLE');
  });

  it('asks for the account by select_account, though its metadata lists no prompts', async () => {
    const request = { redirectUri, loginHint: ana, chooseAccount: true };
    const { redirectTo } = await newConnector().begin(entra(), request);
    expect(new URL(redirectTo).searchParams.get('prompt')).toBe('select_account');
  });
});

describe('Google', () => {
  const google = () => settingsOf('GOOGLE', '');

  it.each([
    ['its own mailbox', 'ana@gmail.com', undefined, true],
    ['its Workspace domain', ana, 'fabrikam.example', true],
    ['another domain of the same organisation', ana, 'fabrikam.test', false],
    ['an address it once mailed a code to', ana, undefined, false],
  ])('is believed about %s: %s with hd %s is %s', async (_name, email, hd, verified) => {
    claims = (address) => googleClaims(address, hd);
    expect(await signIn(google(), email)).toMatchObject({ email, emailVerified: verified });
    expect(await signIn(google(), email)).not.toHaveProperty('lacksAddressProof');
  });
});

describe('Microsoft accounts', () => {
  const personal = () => settingsOf('MICROSOFT_PERSONAL', `/${CONSUMERS}/v2.0`);

  it.each([
    ['ana@outlook.com', true],
    ['ana@fabrikam.example', false],
    ['ana@gmail.com', false],
  ])('are believed about addresses that Microsoft hosts: %s is %s', async (email, verified) => {
    claims = (address, path) => entraClaims(address, path, { acct: undefined, xms_edov: undefined });
    const identity = await signIn(personal(), email);
    expect(identity).toMatchObject({ email, emailVerified: verified });
    expect(identity).not.toHaveProperty('lacksAddressProof');
  });

  it('of an organisation are refused', async () => {
    claims = (address, path) => entraClaims(address, path, { tid: TID });
    await expect(signIn(personal(), 'ana@outlook.com')).rejects.toThrow('IDP_UNAVAILABLE');
  });
});

describe('any provider', () => {
  const generic = (changes: Partial<OpenIdConnectSettings> = {}) => settingsOf('GENERIC', '/op', changes);

  it('reads our signature by a key of ours, and gets no secret', async () => {
    const clientKey = await createClientKey();
    await signIn(generic({ clientSecret: null, clientKey }));
    const form = provider.tokenRequests.at(-1);
    expect(form?.get('client_assertion_type')).toBe('urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
    expect(form?.has('client_secret')).toBe(false);
    const [header = '', payload = ''] = form?.get('client_assertion')?.split('.') ?? [];
    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toMatchObject({ alg: 'RS256', kid: clientKey.kid });
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toMatchObject({
      iss: 'vestibule',
      sub: 'vestibule',
    });
  });

  it('may change its keys from one moment to the next: the new ones are read at the next sign-in', async () => {
    const connector = newConnector();
    await signIn(generic(), ana, connector);
    await provider.rotateKey();
    await expect(signIn(generic(), ana, connector)).rejects.toThrow('IDP_UNAVAILABLE');
    expect(await signIn(generic(), ana, connector)).toMatchObject({ email: ana });
  });

  it.each([
    [20, true],
    [-280, true],
    [90, false],
    [-400, false],
  ])('with a clock %i seconds off is taken: %s', async (seconds, isTaken) => {
    provider.clockAhead = seconds;
    const outcome = await signIn(generic()).then(
      () => true,
      () => false,
    );
    expect(outcome).toBe(isTaken);
  });

  it('is told to end its session too, where it offers that', async () => {
    const url = await newConnector().logoutUrl?.(generic(), { returnTo: 'https://gateway.example/', logoutHint: ana });
    const { pathname, searchParams } = new URL(url ?? '');
    expect([pathname, Object.fromEntries(searchParams)]).toEqual([
      '/op/logout',
      { client_id: 'vestibule', post_logout_redirect_uri: 'https://gateway.example/', logout_hint: ana },
    ]);
  });
});
