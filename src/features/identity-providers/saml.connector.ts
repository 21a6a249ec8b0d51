/**
 * The connector for SAML 2.0 providers: the web browser SSO profile, requests by HTTP-Redirect and signed, responses by
 * HTTP-POST (SAML 2.0 profiles section 4.1). node-saml makes the request and verifies the response; what it leaves to its
 * callers is `saml-response.rules.ts`. Times are compared with the clock that is given. Neighbours: `connector.port.ts` is
 * the port, `saml-providers.service.ts` fetches metadata, so that nothing is asked of the provider here.
 */
import { randomBytes } from 'node:crypto';
import type { CacheProvider, SAML, SamlConfig } from '@node-saml/node-saml';
import type { Clock } from '../../kernel/clock.js';
import { refuse, UserError } from '../../kernel/errors.js';
import type { Callback, FormConnector, SamlSettings } from './connector.port.js';
import { samlAcsUrl, samlEntityId } from './saml-addresses.rules.js';
import { nodeSaml, type XmlElement } from './saml-library.js';
import {
  CLOCK_SKEW,
  checkEnvelope,
  MAX_RESPONSE_LENGTH,
  nameIdFormatUris,
  type ResponseExpectations,
  readAssertion,
  SamlCancellation,
} from './saml-response.rules.js';
import { attribute, parseMessage, SamlProblem } from './saml-xml.js';

export interface SamlConnectorOptions {
  clock: Clock;
  /** Names us towards each provider. */
  publicUrl: URL;
}

export function createSamlConnector({ clock, publicUrl }: SamlConnectorOptions): FormConnector<SamlSettings> {
  const take = (provider: SamlSettings, { url, form }: Callback, requestId: string | null) =>
    refusingFailures(async () => {
      const now = clock.now();
      checkValidity(provider, now);
      const audience = samlEntityId(publicUrl, provider.id);
      const expected = { provider, requestId, acsUrl: url.href, audience, now };
      const xml = decodeResponse(form ?? {});
      checkEnvelope(parseMessage(xml), expected);
      return readAssertion(await verifiedAssertion(xml, publicUrl, expected), expected);
    });
  return {
    begin: (provider, request) =>
      refusingFailures(async () => {
        checkValidity(provider, clock.now());
        const state = newRequestId();
        const saml = new (nodeSaml().SAML)({
          ...commonOptions(provider, publicUrl),
          entryPoint: provider.ssoUrl,
          privateKey: provider.privateKey,
          signatureAlgorithm: 'sha256',
          identifierFormat: provider.subjectAttribute ? null : nameIdFormatUris[provider.nameIdFormat],
          disableRequestedAuthnContext: true,
          forceAuthn: request.chooseAccount,
          generateUniqueId: () => state,
        });
        // Not of SAML, but taken by the larger providers and ignored by the others.
        const additionalParams = { login_hint: request.loginHint };
        return { redirectTo: await saml.getAuthorizeUrlAsync('', undefined, { additionalParams }), secrets: { state } };
      }),

    finish: (provider, callback, secrets) => take(provider, callback, secrets.state),

    finishUnrequested: (provider, callback) => take(provider, callback, null),

    stateOf(form) {
      try {
        return attribute(parseMessage(decodeResponse(form)), 'InResponseTo');
      } catch (error) {
        if (error instanceof SamlProblem) return null;
        throw error;
      }
    },
  };
}

/** An NCName, as an XML ID has to be; 256 bits, because it finds the sign-in again. */
function newRequestId(): string {
  return `_${randomBytes(32).toString('hex')}`;
}

/** SAML 2.0 metadata section 2.3.2: what has expired is not to be used. */
function checkValidity({ validUntil }: SamlSettings, now: Date): void {
  if (validUntil !== null && validUntil <= now) throw new SamlProblem('the metadata of the provider has expired');
}

/** HTTP-POST binding: base64 of the XML. Strict, so that what is checked is what is verified. */
function decodeResponse({ SAMLResponse: text = '' }: Record<string, string>): string {
  if (text.length > MAX_RESPONSE_LENGTH) throw new SamlProblem('the response is larger than allowed');
  if (text === '') throw new SamlProblem('there is no response');
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(text, 'base64'));
  } catch {
    throw new SamlProblem('the response is not UTF-8');
  }
}

function commonOptions(provider: SamlSettings, publicUrl: URL): SamlConfig {
  const entityId = samlEntityId(publicUrl, provider.id);
  return {
    issuer: entityId,
    audience: entityId,
    callbackUrl: samlAcsUrl(publicUrl, provider.id),
    idpCert: provider.signingCertificates,
  };
}

/** @throws SamlProblem unless response or assertion are signed by the provider's keys. */
async function verifiedAssertion(xml: string, publicUrl: URL, expected: ResponseExpectations): Promise<XmlElement> {
  const saml = clockedSaml(
    {
      ...commonOptions(expected.provider, publicUrl),
      // One of them has to be; a signed response covers the assertion inside.
      wantAuthnResponseSigned: false,
      wantAssertionsSigned: false,
      // Without a request the envelope and the confirmation were found to name none.
      validateInResponseTo: nodeSaml().ValidateInResponseTo[expected.requestId === null ? 'never' : 'always'],
      requestIdExpirationPeriodMs: Number.POSITIVE_INFINITY,
      cacheProvider: onlyRequest(expected),
      acceptedClockSkewMs: CLOCK_SKEW,
    },
    expected.now,
  );
  const profile = await verify(saml, xml);
  const assertion = profile?.getAssertionXml?.();
  if (!assertion) throw new SamlProblem('the response holds no assertion');
  return parseMessage(assertion);
}

/** The library's own texts may quote the provider. */
async function verify(saml: SAML, xml: string) {
  try {
    const container = { SAMLResponse: Buffer.from(xml).toString('base64') };
    return (await saml.validatePostResponseAsync(container)).profile;
  } catch {
    throw new SamlProblem('the response does not verify: signature, audience or times are not right');
  }
}

/** node-saml compares with the machine's clock; this one with `now`. */
function clockedSaml(options: SamlConfig, now: Date): SAML {
  class ClockedSaml extends nodeSaml().SAML {
    protected override checkTimestampsValidityError(
      _machineNow: number,
      notBefore: string,
      notOnOrAfter: string,
      limit?: number,
    ): Error | null {
      return super.checkTimestampsValidityError(now.getTime(), notBefore, notOnOrAfter, limit);
    }
  }
  return new ClockedSaml(options);
}

/** What the library takes for its store of requests: the one that this browser's flow is waiting for. */
function onlyRequest({ requestId, now }: ResponseExpectations): CacheProvider {
  return {
    saveAsync: async () => null,
    getAsync: async (key) => (key === requestId ? now.toISOString() : null),
    removeAsync: async () => null,
  };
}

async function refusingFailures<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof UserError ? error : toUserError(error);
  }
}

function toUserError(error: unknown): UserError {
  const detail = error instanceof SamlProblem ? error.message : `the sign-in failed: ${(error as Error).name}`;
  if (!(error instanceof SamlCancellation)) return refuse('IDP_UNAVAILABLE', { detail });
  const message = 'The sign-in was cancelled. Try again, or choose another way to prove who you are.';
  return refuse('PROOF_REQUIRED', { message, detail });
}
