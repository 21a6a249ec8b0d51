/** The duties of `connector.port.ts`, each run against every connector with a real peer on loopback. */
import { inflateRawSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Callback, Connector, ProviderSettings } from '../../../src/features/identity-providers/connector.port.js';
import { createOpenIdConnectConnector } from '../../../src/features/identity-providers/openid-connect.connector.js';
import type { OpenIdConnectPreset } from '../../../src/features/identity-providers/openid-connect-presets.rules.js';
import { createSamlConnector } from '../../../src/features/identity-providers/saml.connector.js';
import { samlAcsUrl } from '../../../src/features/identity-providers/saml-addresses.rules.js';
import { readMetadata } from '../../../src/features/identity-providers/saml-metadata.rules.js';
import { nameIdFormatUris } from '../../../src/features/identity-providers/saml-response.rules.js';
import {
  createSigningCredential,
  serviceProviderMetadata,
} from '../../../src/features/identity-providers/service-provider.js';
import { systemClock } from '../../../src/kernel/clock.js';
import { UserError } from '../../../src/kernel/errors.js';
import { silentLog } from '../../../src/kernel/log.js';
import { createOutboundClient } from '../../../src/outbound/outbound-client.js';
import {
  type ClaimsProviderOptions,
  entraClaims,
  googleClaims,
  startClaimsProvider,
} from '../../support/claims-provider.js';
import { signInAt, startTestOpenIdProvider } from '../../support/openid-provider.js';
import { samlSignInAt, startTestSamlProvider } from '../../support/saml-provider.js';

const publicUrl = new URL('https://gateway.example');
const ORGANIZATION = '3f1d0c52-1111-4222-8333-444455556666';
const ada = 'ada@fabrikam.example';
const ben = 'ben@fabrikam.example';

/** A provider of a partner, as an operator has set it up. */
interface Peer {
  settings: ProviderSettings;
  redirectUri: string;
  quirks: { claimedEmail?: string };
  /** Says from now on whether sign-ins there take more than one factor. */
  useMultiFactor(isOn: boolean): void;
  /** A person signs in there. @returns what the browser brings back. */
  signIn(redirectTo: string, email: string): Promise<Callback>;
  /** The same answer, changed on the way. */
  tamper(callback: Callback): Callback;
  stop(): Promise<unknown>;
}

interface Kind {
  connector: Connector;
  startPeer(id: string): Promise<Peer>;
  stop(): Promise<void>;
}

function openIdConnect(): Kind {
  const outbound = createOutboundClient({ allowPrivateProviders: true, log: silentLog });
  return {
    connector: createOpenIdConnectConnector({ fetch: outbound.fetch, allowInsecure: true }),
    async startPeer(id) {
      const redirectUri = new URL(`/sign-in/callback/${id}`, publicUrl).href;
      const client = { clientId: 'vestibule', clientSecret: 'a secret', redirectUris: [redirectUri] };
      const accounts = [ada, ben].map((email) => ({ email, name: 'A Guest' }));
      const provider = await startTestOpenIdProvider({ clients: [client], accounts });
      return {
        settings: {
          id,
          issuer: provider.issuer,
          ...client,
          scopes: ['email', 'profile'],
          preset: 'GENERIC',
          clientKey: null,
        } as ProviderSettings,
        redirectUri,
        quirks: provider.quirks,
        useMultiFactor(isOn) {
          provider.quirks.amr = isOn ? ['pwd', 'otp', 'mfa'] : ['pwd'];
        },
        signIn: async (redirectTo, email) => ({ url: await signInAt(provider, redirectTo, email) }),
        tamper: withAnotherCode,
        stop: () => provider.stop(),
      };
    },
    stop: () => outbound.close(),
  };
}

/** A large provider, by its preset and with its own claims. */
function byPreset(preset: OpenIdConnectPreset, path: string, claimsOf: ClaimsProviderOptions['claimsOf']): () => Kind {
  return () => {
    const { connector, stop } = openIdConnect();
    return {
      connector,
      stop,
      async startPeer(id) {
        const quirks: Peer['quirks'] = {};
        let amr = ['pwd'];
        const claimed = (email: string) => quirks.claimedEmail ?? email;
        const provider = await startClaimsProvider({
          claimsOf: (email, at) => ({ ...claimsOf(email, at), email: claimed(email), name: 'A Guest', amr }),
        });
        const client = { clientId: 'vestibule', clientSecret: 'a secret', clientKey: null };
        return {
          settings: {
            id,
            issuer: `${provider.origin}${path}`,
            preset,
            ...client,
            scopes: ['email'],
          } as ProviderSettings,
          redirectUri: new URL(`/sign-in/callback/${id}`, publicUrl).href,
          quirks,
          useMultiFactor(isOn) {
            amr = isOn ? ['pwd', 'mfa'] : ['pwd'];
          },
          signIn: async (redirectTo, email) => ({ url: await provider.signIn(redirectTo, email) }),
          tamper: withAnotherCode,
          stop: () => provider.stop(),
        };
      },
    };
  };
}

function withAnotherCode({ url }: Callback): Callback {
  const changed = new URL(url);
  changed.searchParams.set('code', `${url.searchParams.get('code')}x`);
  return { url: changed };
}

function saml(): Kind {
  return {
    connector: createSamlConnector({ clock: systemClock, publicUrl }),
    async startPeer(id) {
      const provider = await startTestSamlProvider({ displayName: 'A Guest' });
      const credential = await createSigningCredential(new Date());
      const { certificate, privateKey } = credential;
      const ours = { certificates: [certificate], privateKey };
      provider.trust(serviceProviderMetadata(publicUrl, id, ours, nameIdFormatUris.PERSISTENT));
      const expected = { entityId: null, metadataCertificates: [], allowInsecure: true, now: new Date() };
      const { entityId: issuer, ...metadata } = readMetadata(provider.metadata, expected);
      const naming = {
        nameIdFormat: 'PERSISTENT',
        emailAttribute: null,
        displayNameAttribute: null,
        subjectAttribute: null,
      };
      return {
        settings: { id, issuer, ...metadata, ...naming, ...credential } as ProviderSettings,
        redirectUri: samlAcsUrl(publicUrl, id),
        quirks: provider.quirks,
        useMultiFactor(isOn) {
          if (isOn) provider.quirks.authnContext = 'https://refeds.org/profile/mfa';
          else delete provider.quirks.authnContext;
        },
        async signIn(redirectTo, email) {
          const { action, form } = await samlSignInAt(redirectTo, email);
          return { url: new URL(action), form };
        },
        tamper({ url, form }) {
          const xml = Buffer.from(form?.SAMLResponse ?? '', 'base64').toString();
          return { url, form: { SAMLResponse: Buffer.from(xml.replaceAll(ada, ben)).toString('base64') } };
        },
        stop: () => provider.stop(),
      };
    },
    stop: async () => undefined,
  };
}

describe.each([
  ['OpenID Connect', openIdConnect],
  ['Entra', byPreset('ENTRA', `/${ORGANIZATION}/v2.0`, entraClaims)],
  ['Google', byPreset('GOOGLE', '', (email) => googleClaims(email, 'fabrikam.example'))],
  ['SAML', saml],
])('the connector for %s', (_name, make) => {
  let kind: Kind;
  let peer: Peer;
  let otherPeer: Peer;

  beforeAll(async () => {
    kind = make();
    [peer, otherPeer] = [await kind.startPeer('idp_1'), await kind.startPeer('idp_2')];
  });
  afterAll(async () => {
    await Promise.all([peer.stop(), otherPeer.stop()]);
    await kind.stop();
  });

  async function begin(at: Peer, chooseAccount = false) {
    const request = { redirectUri: at.redirectUri, loginHint: ada, chooseAccount };
    const { redirectTo, secrets } = await kind.connector.begin(at.settings, request);
    // As they are kept with the flow.
    return { redirectTo, secrets: JSON.parse(JSON.stringify(secrets)) as typeof secrets };
  }

  async function signIn(email = ada) {
    const { redirectTo, secrets } = await begin(peer);
    return kind.connector.finish(peer.settings, await peer.signIn(redirectTo, email), secrets);
  }

  async function refusal(work: Promise<unknown>): Promise<UserError> {
    const error = await work.then(
      (identity) => JSON.stringify(identity),
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof UserError)) throw new Error(`Expected a UserError, got ${error}.`);
    return error;
  }

  it('gives the one normal form', async () => {
    const { assertionId: _, lacksAddressProof: __, ...identity } = await signIn();
    expect(identity).toEqual({
      issuer: peer.settings.issuer,
      subject: expect.stringMatching(/./),
      email: ada,
      emailVerified: true,
      displayName: 'A Guest',
      isMultiFactor: false,
    });
  });

  it('tells a second factor only where the provider says so', async () => {
    peer.useMultiFactor(true);
    expect((await signIn()).isMultiFactor).toBe(true);
    peer.useMultiFactor(false);
    expect((await signIn()).isMultiFactor).toBe(false);
  });

  it('knows a person again, and tells two apart', async () => {
    const [first, again, another] = [await signIn(), await signIn(), await signIn(ben)];
    expect(again.subject).toBe(first.subject);
    expect(another.subject).not.toBe(first.subject);
  });

  it('reports the address that was claimed, not the one that was hinted', async () => {
    expect((await signIn(ben)).email).toBe(ben);
    peer.quirks.claimedEmail = 'eve@elsewhere.example';
    expect((await signIn()).email).toBe('eve@elsewhere.example');
    delete peer.quirks.claimedEmail;
  });

  it('asks every time by a state of its own', async () => {
    const [first, second] = [await begin(peer), await begin(peer)];
    expect(first.secrets.state.length).toBeGreaterThan(40);
    expect(second.secrets.state).not.toBe(first.secrets.state);
    expect(first.redirectTo).not.toBe(second.redirectTo);
  });

  it('takes an answer only for the sign-in that asked for it', async () => {
    const [mine, another] = [await begin(peer), await begin(peer)];
    const answer = await peer.signIn(mine.redirectTo, ada);
    expect((await refusal(kind.connector.finish(peer.settings, answer, another.secrets))).code).toBe('IDP_UNAVAILABLE');
  });

  it('takes an answer only from the provider that was asked', async () => {
    const { redirectTo, secrets } = await begin(otherPeer);
    const answer = await otherPeer.signIn(redirectTo, ada);
    expect((await refusal(kind.connector.finish(peer.settings, answer, secrets))).code).toBe('IDP_UNAVAILABLE');
  });

  it('takes an answer only where it was sent', async () => {
    const { redirectTo, secrets } = await begin(peer);
    const answer = await peer.signIn(redirectTo, ada);
    const elsewhere = new URL(otherPeer.redirectUri);
    elsewhere.search = answer.url.search;
    const refused = await refusal(kind.connector.finish(peer.settings, { ...answer, url: elsewhere }, secrets));
    expect(refused.code).toBe('IDP_UNAVAILABLE');
  });

  it('takes no answer that was changed on the way, and none that is missing', async () => {
    const { redirectTo, secrets } = await begin(peer);
    const changed = peer.tamper(await peer.signIn(redirectTo, ada));
    expect((await refusal(kind.connector.finish(peer.settings, changed, secrets))).code).toBe('IDP_UNAVAILABLE');
    const nothing = { url: new URL(peer.redirectUri) };
    expect((await refusal(kind.connector.finish(peer.settings, nothing, secrets))).code).toBe('IDP_UNAVAILABLE');
  });

  it('says in the log why it refused, and nothing of what was sent', async () => {
    const { secrets } = await begin(peer);
    const text = 'free-text-of-a-stranger';
    const url = new URL(`${peer.redirectUri}?error=${text}&error_description=${text}&state=${secrets.state}`);
    const form = { SAMLResponse: Buffer.from(`<${text}/>`).toString('base64') };
    const refused = await refusal(kind.connector.finish(peer.settings, { url, form }, secrets));
    expect(refused.detail).toMatch(/\w+ \w+/);
    expect(JSON.stringify([refused.entries, refused.detail])).not.toContain(text);
  });

  it('asks anew whom to sign in as, after the wrong account', async () => {
    const [usual, anew] = [await begin(peer), await begin(peer, true)];
    expect(readable(anew.redirectTo)).toMatch(/prompt=(login|select_account)|ForceAuthn="true"/);
    expect(readable(usual.redirectTo)).not.toMatch(/prompt=|ForceAuthn="true"/);
  });
});

/** A request's parameters; that of SAML unpacked. */
function readable(redirectTo: string): string {
  const packed = new URL(redirectTo).searchParams.get('SAMLRequest');
  return packed === null ? redirectTo : inflateRawSync(Buffer.from(packed, 'base64')).toString();
}
