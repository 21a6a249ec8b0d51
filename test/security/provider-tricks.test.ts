/** What a provider, or somebody between two of them, tries on a guest's way: seen from the pages, with real providers. */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { signInAt } from '../support/openid-provider.js';
import { GuestBrowser, startAt, type WebPage } from '../web/guest-browser.js';
import { addPartner, type Partner } from '../web/partner.js';

let gateway: TestGateway;
let tenantId: string;
let fabrikam: Partner;
let tailspin: Partner;
let people = 0;
const opened: Server[] = [];

beforeAll(async () => {
  gateway = await startTestGateway();
  tenantId = (await gateway.createTenant({ displayName: 'Contoso' })).id;
  fabrikam = await addPartner(gateway, tenantId, 'fabrikam.example');
  tailspin = await addPartner(gateway, tenantId, 'tailspin.example', 'Tailspin');
});
afterEach(() => {
  delete fabrikam.provider.quirks.claimedEmail;
  for (const server of opened.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});
afterAll(async () => {
  await fabrikam.provider.stop();
  await tailspin.provider.stop();
  await gateway.stop();
});

async function invite(email = `guest${++people}@fabrikam.example`) {
  return { email, ...(await gateway.inviteUser({ tenantId, email })) };
}

/** From the flow's page to the address the provider sends the browser back to. */
async function backFrom(partner: Partner, browser: GuestBrowser, page: WebPage, as: string): Promise<URL> {
  return signInAt(partner.provider, (await browser.submit(page, '/sign-in')).refreshTo ?? '', as);
}

const isProven = (page: WebPage) => page.forms.some(({ action }) => action.endsWith('/accept'));

async function lastRefusal(invitationId: string) {
  const rows = await gateway.sql<{ reason: string }>(
    "select reason from event where invitation_id = $1 and type = 'IDENTITY_REFUSED' order by seq",
    [invitationId],
  );
  return rows.at(-1)?.reason;
}

/** A provider of our own making at 127.0.0.1, named by an identity provider for `domain`. */
async function addHostile(domain: string, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  opened.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { createIdentityProvider } = await gateway.ask(
    'mutation ($input: CreateIdentityProviderInput!) { createIdentityProvider(input: $input) { userErrors { code field message } } }',
    {
      input: {
        tenantId,
        kind: 'OIDC',
        displayName: 'Hostile',
        domains: [domain],
        oidc: { issuer, clientId: 'x', clientSecret: 'y' },
      },
    },
  );
  expect(createIdentityProvider.userErrors).toEqual([]);
  return issuer;
}

async function signInAtHostile(domain: string): Promise<WebPage> {
  const guest = await invite(`guest${++people}@${domain}`);
  const browser = new GuestBrowser();
  return browser.submit(await startAt(browser, guest.redeemUrl), '/sign-in');
}

describe('an answer of one provider', () => {
  it('brought to the address of another is nobody’s, and is not spent there', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const back = await backFrom(fabrikam, browser, await startAt(browser, guest.redeemUrl), guest.email);
    const elsewhere = new URL(back);
    elsewhere.pathname = `/sign-in/callback/${tailspin.providerId}`;
    expect((await browser.get(elsewhere)).status).toBe(404);
    expect(isProven(await browser.get(back))).toBe(true);
  });

  it('that names another issuer is refused before its code goes anywhere', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const back = await backFrom(fabrikam, browser, await startAt(browser, guest.redeemUrl), guest.email);
    back.searchParams.set('iss', tailspin.provider.issuer);
    const asked = fabrikam.provider.requests.length;
    expect(isProven(await browser.get(back))).toBe(false);
    expect(fabrikam.provider.requests.slice(asked)).not.toContain('/token');
    expect(await lastRefusal(guest.id)).toBe('IDP_UNAVAILABLE');
  });

  it('without its issuer is refused, because the provider said that it names it', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const back = await backFrom(fabrikam, browser, await startAt(browser, guest.redeemUrl), guest.email);
    back.searchParams.delete('iss');
    expect(isProven(await browser.get(back))).toBe(false);
  });

  it('to one guest’s sign-in, put into another’s, proves nothing', async () => {
    const [mine, theirs] = [await invite(), await invite()];
    const [attacker, victim] = [new GuestBrowser(), new GuestBrowser()];
    const stolen = await backFrom(fabrikam, attacker, await startAt(attacker, mine.redeemUrl), mine.email);
    const started = await startAt(victim, theirs.redeemUrl);
    const own = await backFrom(fabrikam, victim, started, theirs.email);
    own.searchParams.set('code', stolen.searchParams.get('code') ?? '');
    expect(isProven(await victim.get(own))).toBe(false);
    expect(isProven(await victim.get(started.url))).toBe(false);
  });
});

describe('an address that a provider vouches for', () => {
  it('proves nothing of an address of another domain, verified or not', async () => {
    const guest = await invite();
    fabrikam.provider.quirks.claimedEmail = 'boss@tailspin.example';
    const browser = new GuestBrowser();
    const page = await browser.get(
      await backFrom(fabrikam, browser, await startAt(browser, guest.redeemUrl), 'x@fabrikam.example'),
    );
    expect(isProven(page)).toBe(false);
    expect(await lastRefusal(guest.id)).toBe('IDENTITY_MISMATCH');
  });

  it('cannot be had from a provider of another domain: that one is never asked', async () => {
    const guest = await invite('boss@tailspin.example');
    fabrikam.provider.quirks.claimedEmail = 'boss@tailspin.example';
    const browser = new GuestBrowser();
    const started = await startAt(browser, guest.redeemUrl);
    expect(started.html).toContain('Tailspin');
    const back = await backFrom(tailspin, browser, started, 'boss@tailspin.example');
    const forged = new URL(back);
    forged.pathname = `/sign-in/callback/${fabrikam.providerId}`;
    forged.searchParams.set('iss', fabrikam.provider.issuer);
    expect((await browser.get(forged)).status).toBe(404);
  });

  it.each([
    ['a Kelvin sign for a k', '\u212Aelly.%@fabrikam.example'],
    ['a Cyrillic letter', 'k\u0435lly.%@fabrikam.example'],
    ['full-width letters', '\uFF4Belly.%@fabrikam.example'],
    ['a dotless i for an i', 'kelly.%@fabr\u0131kam.example'],
    ['a Cyrillic domain', 'kelly.%@f\u0430brikam.example'],
    ['a plus tag', 'kelly.%+x@fabrikam.example'],
    ['a zero-width joiner', 'kel\u200Dly.%@fabrikam.example'],
    ['a second address behind it', 'kelly.%@fabrikam.example,eve@evil.example'],
    ['a second @', 'kelly.%@fabrikam.example@evil.example'],
    ['a domain below', 'kelly.%@mail.fabrikam.example'],
    ['a NUL behind it', 'kelly.%@fabrikam.example\u0000'],
  ])('is not taken for the invited one by %s', async (_trick, pattern) => {
    const number = ++people;
    const guest = await invite(`kelly.${number}@fabrikam.example`);
    fabrikam.provider.quirks.claimedEmail = pattern.replace('%', String(number));
    const browser = new GuestBrowser();
    const page = await browser.get(
      await backFrom(fabrikam, browser, await startAt(browser, guest.redeemUrl), 'x@fabrikam.example'),
    );
    expect(isProven(page)).toBe(false);
    expect(await lastRefusal(guest.id)).toBe('IDENTITY_MISMATCH');
  });

  it.each([
    ['upper case', (number: number) => `KELLY.${number}@Fabrikam.EXAMPLE`],
    ['spaces around', (number: number) => ` kelly.${number}@fabrikam.example `],
  ])('is the invited one in %s', async (_spelling, spelled) => {
    const number = ++people;
    const guest = await invite(`kelly.${number}@fabrikam.example`);
    fabrikam.provider.quirks.claimedEmail = spelled(number);
    const browser = new GuestBrowser();
    const back = await backFrom(fabrikam, browser, await startAt(browser, guest.redeemUrl), 'x@fabrikam.example');
    expect(isProven(await browser.get(back))).toBe(true);
  });
});

describe('what a provider is configured by', () => {
  const unavailable = (page: WebPage) => [page.status, page.html.includes('Your organisation does not answer')];

  it('that is 50 MB long is not read to its end', async () => {
    let sent = 0;
    const chunk = Buffer.alloc(64 * 1024, ' ');
    await addHostile('long.example', (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const pour = () => {
        while (sent < 50 * 1024 * 1024 && !response.destroyed) {
          sent += chunk.length;
          if (!response.write(chunk)) return response.once('drain', pour);
        }
        return response.end('{}');
      };
      pour();
    });
    expect(unavailable(await signInAtHostile('long.example'))).toEqual([503, true]);
    expect(sent).toBeLessThan(20 * 1024 * 1024);
  });

  it('that redirects is not followed, wherever it leads', async () => {
    const asked: string[] = [];
    const inner = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.end('{}');
    });
    opened.push(inner);
    await new Promise<void>((resolve) => inner.listen(0, '127.0.0.1', resolve));
    const { port } = inner.address() as AddressInfo;
    await addHostile('redirecting.example', (_request, response) =>
      response.writeHead(302, { location: `http://127.0.0.1:${port}/admin` }).end(),
    );
    expect(unavailable(await signInAtHostile('redirecting.example'))).toEqual([503, true]);
    expect(asked).toEqual([]);
  });

  it('may name the addresses at which clouds hand out credentials: they are not asked', async () => {
    let issuer = '';
    issuer = await addHostile('cloudy.example', (_request, response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(
        JSON.stringify({
          issuer,
          authorization_endpoint: `${issuer}/authorize`,
          token_endpoint: 'http://169.254.169.254/latest/meta-data/',
          jwks_uri: 'http://169.254.169.254/latest/meta-data/',
          response_types_supported: ['code'],
          subject_types_supported: ['public'],
          id_token_signing_alg_values_supported: ['RS256'],
        }),
      ),
    );
    const guest = await invite('guest@cloudy.example');
    const browser = new GuestBrowser();
    const leaving = await browser.submit(await startAt(browser, guest.redeemUrl), '/sign-in');
    const to = new URL(leaving.refreshTo ?? '');
    const back = new URL(to.searchParams.get('redirect_uri') ?? '');
    back.search = new URLSearchParams({ code: 'c', state: to.searchParams.get('state') ?? '' }).toString();
    const page = await browser.get(back);
    expect(isProven(page)).toBe(false);
    expect(page.html).toContain('Your organisation does not answer');
    expect(await lastRefusal(guest.id)).toBe('IDP_UNAVAILABLE');
  });

  it('may name an authorization endpoint that is no address of the web: nobody is sent there', async () => {
    let issuer = '';
    issuer = await addHostile('scripted.example', (_request, response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(
        JSON.stringify({
          issuer,
          authorization_endpoint: 'javascript:alert(document.domain)',
          token_endpoint: `${issuer}/token`,
          jwks_uri: `${issuer}/jwks`,
        }),
      ),
    );
    const page = await signInAtHostile('scripted.example');
    expect(unavailable(page)).toEqual([503, true]);
    expect(page.html).not.toContain('javascript:');
  });
});
