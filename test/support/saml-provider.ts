/**
 * A partner's SAML 2.0 identity provider on loopback (samlify), with ways to misbehave, and a person without a browser who
 * signs in at it over HTTP. It takes signed requests only, and knows us by our own metadata.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import {
  createSigningCredential,
  type SigningCredential,
} from '../../src/features/identity-providers/service-provider.js';
import { type Clock, systemClock } from '../../src/kernel/clock.js';

interface Entity {
  entityMeta: { getEntityID(): string; getAssertionConsumerService(binding: string): string };
  getMetadata(): string;
}

interface LoginRequest {
  extract: { request?: { id?: string } };
}

interface Idp extends Entity {
  parseLoginRequest(
    sp: Entity,
    binding: 'redirect',
    request: { query: Record<string, string>; octetString: string },
  ): Promise<LoginRequest>;
  createLoginResponse(
    sp: Entity,
    request: LoginRequest,
    binding: 'post',
    user: { email: string },
    fill: (template: string) => { id: string; context: string },
  ): Promise<{ context: string }>;
}

interface Samlify {
  IdentityProvider(settings: object): Idp;
  ServiceProvider(settings: { metadata: string }): Entity;
  setSchemaValidator(validator: { validate: (xml: string) => Promise<string> }): void;
}

// Its types bring in those of browsers, for the whole project.
const { IdentityProvider, ServiceProvider, setSchemaValidator } = createRequire(import.meta.url)('samlify') as Samlify;
// The library insists on one; the requests it reads here are our own.
setSchemaValidator({ validate: () => Promise.resolve('not checked') });

/** May be changed while the provider runs. */
export interface SamlQuirks {
  /** Asserted instead of the address that signed in. */
  claimedEmail?: string;
  /** Asserted as the NameID instead of one made from the address. */
  nameId?: string;
  /** AuthnContextClassRef. @default a password's */
  authnContext?: string;
  /** Connections are cut. */
  isDown?: boolean;
  /** Instead of the metadata. */
  metadata?: string;
}

export interface TestSamlProviderOptions {
  /** Of everybody who signs in. */
  displayName?: string;
  /** @default the machine's */
  clock?: Clock;
}

export interface TestSamlProvider {
  entityId: string;
  metadataUrl: string;
  metadata: string;
  credential: SigningCredential;
  quirks: SamlQuirks;
  /** Paths requested so far. */
  requests: string[];
  /** Takes our metadata, as the partner's administrator does. */
  trust(serviceProviderMetadata: string): void;
  stop(): Promise<void>;
}

const PERSISTENT = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent';
const REDIRECT = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect';

const responseTemplate = `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{ID}" Version="2.0" IssueInstant="{IssueInstant}" Destination="{Destination}" InResponseTo="{InResponseTo}"><saml:Issuer>{Issuer}</saml:Issuer><samlp:Status><samlp:StatusCode Value="{StatusCode}"/></samlp:Status><saml:Assertion ID="{AssertionID}" Version="2.0" IssueInstant="{IssueInstant}"><saml:Issuer>{Issuer}</saml:Issuer><saml:Subject><saml:NameID Format="{NameIDFormat}">{NameID}</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="{NotOnOrAfter}" Recipient="{Destination}" InResponseTo="{InResponseTo}"/></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="{IssueInstant}" NotOnOrAfter="{NotOnOrAfter}"><saml:AudienceRestriction><saml:Audience>{Audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="{IssueInstant}"><saml:AuthnContext><saml:AuthnContextClassRef>{AuthnContext}</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement><saml:Attribute Name="mail"><saml:AttributeValue>{Email}</saml:AttributeValue></saml:Attribute><saml:Attribute Name="displayName"><saml:AttributeValue>{DisplayName}</saml:AttributeValue></saml:Attribute></saml:AttributeStatement></saml:Assertion></samlp:Response>`;

export async function startTestSamlProvider({
  displayName = 'Ada Lovelace',
  clock = systemClock,
}: TestSamlProviderOptions = {}): Promise<TestSamlProvider> {
  const credential = await createSigningCredential(clock.now());
  const quirks: SamlQuirks = {};
  const requests: string[] = [];
  const partners: Entity[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url?.split('?')[0] ?? '');
    if (quirks.isDown) request.socket.destroy();
    else serve(request, response).catch((error: Error) => response.writeHead(500).end(error.message));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const idp = IdentityProvider({
    entityID: `${origin}/metadata`,
    privateKey: credential.privateKey,
    signingCert: credential.certificate,
    wantAuthnRequestsSigned: true,
    requestSignatureAlgorithm: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    nameIDFormat: [PERSISTENT],
    singleSignOnService: [{ Binding: REDIRECT, Location: `${origin}/sso` }],
    singleLogoutService: [{ Binding: REDIRECT, Location: `${origin}/slo` }],
    loginResponseTemplate: { context: responseTemplate, attributes: [] },
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', origin);
    if (url.pathname === '/metadata') {
      response.writeHead(200, { 'content-type': 'application/samlmetadata+xml' });
      response.end(quirks.metadata ?? idp.getMetadata());
    } else if (request.method === 'POST') {
      const email = new URLSearchParams(await text(request)).get('email') ?? '';
      response.setHeader('content-type', 'text/html').end(await answerPage(url, email));
    } else {
      await readRequest(url);
      response.setHeader('content-type', 'text/html').end(`<form method="post"><input name="email"></form>`);
    }
  }

  /** Refuses what is not signed by the partner it says it is from. */
  async function readRequest(url: URL) {
    for (const sp of partners) {
      const parameters = Object.fromEntries(url.searchParams);
      const signed = ['SAMLRequest', 'RelayState', 'SigAlg']
        .flatMap(
          (name) =>
            url.search
              .slice(1)
              .split('&')
              .find((part) => part.startsWith(`${name}=`)) ?? [],
        )
        .join('&');
      const parsed = await idp
        .parseLoginRequest(sp, 'redirect', { query: parameters, octetString: signed })
        .catch(() => null);
      if (parsed) return { sp, parsed };
    }
    throw new Error('The request is not signed by a partner.');
  }

  async function answerPage(url: URL, email: string): Promise<string> {
    const { sp, parsed } = await readRequest(url);
    const now = clock.now();
    const acs = sp.entityMeta.getAssertionConsumerService('post');
    const values: Record<string, string> = {
      ID: `_response-${crypto.randomUUID()}`,
      AssertionID: `_assertion-${crypto.randomUUID()}`,
      Destination: acs,
      Issuer: idp.entityMeta.getEntityID(),
      IssueInstant: now.toISOString(),
      NotOnOrAfter: new Date(now.getTime() + 5 * 60_000).toISOString(),
      StatusCode: 'urn:oasis:names:tc:SAML:2.0:status:Success',
      InResponseTo: parsed.extract.request?.id ?? '',
      Audience: sp.entityMeta.getEntityID(),
      NameIDFormat: PERSISTENT,
      NameID: quirks.nameId ?? Buffer.from(email).toString('hex'),
      Email: quirks.claimedEmail ?? email,
      DisplayName: displayName,
      AuthnContext: quirks.authnContext ?? 'urn:oasis:names:tc:SAML:2.0:ac:classes:Password',
    };
    const fill = (template: string) => template.replace(/\{(\w+)\}/g, (_all, name: string) => values[name] ?? '');
    const { context } = await idp.createLoginResponse(sp, parsed, 'post', { email }, (template) => ({
      id: values.ID ?? '',
      context: fill(template),
    }));
    return `<form method="post" action="${acs}"><input name="SAMLResponse" value="${context}"><button>Go on</button></form>`;
  }

  return {
    entityId: idp.entityMeta.getEntityID(),
    metadataUrl: `${origin}/metadata`,
    metadata: idp.getMetadata(),
    credential,
    quirks,
    requests,
    trust: (metadata) => partners.push(ServiceProvider({ metadata })),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface PostedAnswer {
  action: string;
  form: { SAMLResponse: string };
}

/** Signs in at the provider's page. @returns the form that the provider has the browser post. */
export async function samlSignInAt(requestUrl: string | URL, email: string): Promise<PostedAnswer> {
  const page = await fetch(requestUrl);
  if (!page.ok) throw new Error(`The provider refused the request: ${await page.text()}`);
  const response = await fetch(requestUrl, { method: 'POST', body: new URLSearchParams({ email }) });
  const html = await response.text();
  const [, action, answer] = /action="([^"]+)".*value="([^"]+)"/s.exec(html) ?? [];
  if (!action || !answer) throw new Error(`The provider did not answer, status ${response.status}: ${html}`);
  return { action, form: { SAMLResponse: answer } };
}

/** Posts as browsers do from another site: without cookies. @returns where the browser is sent on to, or the page it is shown. */
export async function postAnswer({
  action,
  form,
}: PostedAnswer): Promise<{ status: number; html: string; location: URL | null }> {
  const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
  const response = await fetch(action, {
    method: 'POST',
    body: new URLSearchParams({ ...form }),
    redirect: 'manual',
    headers,
  });
  const location = response.headers.get('location');
  return {
    status: response.status,
    html: await response.text(),
    location: location ? new URL(location, action) : null,
  };
}
