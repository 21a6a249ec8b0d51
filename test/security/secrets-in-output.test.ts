/**
 * A whole run with everything that goes well and badly, logged at the finest level, with every row ever written kept:
 * nothing that opens anything may be found in either, in any encoding a program would write it in.
 */
import { hkdfSync } from 'node:crypto';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Secret, TOTP } from 'otpauth';
import { pino } from 'pino';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { signInAt } from '../support/openid-provider.js';
import { refusal, startSmtpServer, type TestSmtpServer } from '../support/smtp-server.js';
import { until } from '../support/until.js';
import { GuestBrowser, passcodesTo, proveByPasscode, requestPasscode, startAt } from '../web/guest-browser.js';
import { addPartner, type Partner } from '../web/partner.js';
import { signInGuest } from '../web/signed-in-guest.js';

const SECRET_KEY = 'a-secret-key-of-this-run-that-is-long-enough';
const logged: string[] = [];
/** What must be nowhere, by what it is. */
const secrets = new Map<string, string>();
/** Addresses and words of people: allowed in tables, not in logs. */
const personal = new Set<string>();

let smtp: TestSmtpServer;
let gateway: TestGateway;
let partner: Partner;
let tenantId: string;
let tenant: { id: string; slug: string };

beforeAll(async () => {
  const sink = new Writable({
    write(chunk, _encoding, done) {
      logged.push(String(chunk));
      done();
    },
  });
  smtp = await startSmtpServer({
    onRcptTo: ({ address }, _session, callback) =>
      callback(address.startsWith('gone') ? refusal(550, `no mailbox ${address}`) : null),
  });
  gateway = await startTestGateway({ smtp, log: pino({ level: 'trace' }, sink), env: { SECRET_KEYS: SECRET_KEY } });
  await keepEveryRow();
  tenant = await gateway.createTenant({ displayName: 'Contoso' });
  tenantId = tenant.id;
  partner = await addPartner(gateway, tenantId, 'fabrikam.example');
});
afterAll(async () => {
  await partner.provider.stop();
  await gateway.stop();
  await smtp.stop();
});

/** Jobs and flows are deleted when done; a trigger keeps what was in them at any time. */
async function keepEveryRow(): Promise<void> {
  await gateway.sql('create table kept (body text)');
  await gateway.sql(
    `create function keep() returns trigger language plpgsql security definer as
     $$ begin insert into public.kept values (to_jsonb(new)::text); return new; end $$`,
  );
  for (const { name } of await tables()) {
    await gateway.sql(
      `create trigger keep before insert or update on ${name} for each row execute function public.keep()`,
    );
  }
}

const tables = () =>
  gateway.sql<{ name: string }>(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
     where table_schema in ('public', 'graphile_worker') and table_type = 'BASE TABLE' and table_name <> 'kept'`,
  );

async function everythingStored(): Promise<string> {
  const parts = ['select string_agg(body, chr(10)) as body from kept'];
  for (const { name } of await tables()) parts.push(`select string_agg(t::text, chr(10)) as body from ${name} t`);
  const bodies = await Promise.all(parts.map((part) => gateway.sql<{ body: string | null }>(part)));
  return bodies.map(([row]) => row?.body ?? '').join('\n');
}

async function invite(email: string, input: object = {}) {
  personal.add(email);
  const invited = await gateway.inviteUser({ tenantId, email, message: 'Words to nobody else', ...input });
  secrets.set(`link of ${email}`, invited.redeemUrl.split('.').at(-1) ?? '');
  return invited;
}

function keepCookies(browser: GuestBrowser, whose: string): void {
  for (const value of browser.cookies.values()) {
    for (const part of value.split('.')) secrets.set(`cookie ${secrets.size} of ${whose}`, part);
  }
}

async function redeemByPasscode(email: string): Promise<void> {
  const { redeemUrl } = await invite(email);
  const browser = new GuestBrowser();
  const { page } = await requestPasscode(gateway, browser, await startAt(browser, redeemUrl), email);
  keepCookies(browser, email);
  secrets.set(`form of ${email}`, page.forms[0]?.fields.csrf ?? '');
  await browser.submit(page, '/passcode', { passcode: 'secret wrong code' });
  secrets.set('wrong code', 'secret wrong code');
  const consent = await browser.submit(page, '/passcode', { passcode: passcodesTo(gateway, email)[0] ?? '' });
  keepCookies(browser, email);
  await browser.submit(consent, '/accept');
  keepCookies(browser, email);
  await browser.get(redeemUrl);
}

async function redeemByProvider(email: string): Promise<void> {
  const { redeemUrl } = await invite(email);
  const browser = new GuestBrowser();
  const started = await startAt(browser, redeemUrl);
  partner.provider.quirks.isDown = true;
  await browser.submit(started, '/sign-in');
  delete partner.provider.quirks.isDown;
  for (const failsAt of ['/token', null]) {
    if (failsAt) partner.provider.quirks.failsAt = failsAt;
    else delete partner.provider.quirks.failsAt;
    const to = new URL((await browser.submit(started, '/sign-in')).refreshTo ?? '');
    for (const name of ['state', 'nonce', 'code_challenge'])
      secrets.set(`${name} ${secrets.size}`, to.searchParams.get(name) ?? '');
    const back = await signInAt(partner.provider, to, email);
    secrets.set(`authorization code ${secrets.size}`, back.searchParams.get('code') ?? '');
    const page = await browser.get(back);
    if (!failsAt) await browser.submit(page, '/accept');
  }
  keepCookies(browser, email);
}

async function redeemByScript(email: string): Promise<void> {
  const { redeemUrl } = await invite(email);
  const token = new URL(redeemUrl).pathname.split('/').at(-1);
  const run = async (name: string, type: string, input: object) =>
    (
      await gateway.gql(
        `mutation ($input: ${type}!) { result: ${name}(input: $input) { redemption { id consentVersion } userErrors { code } } }`,
        { input },
        { key: null },
      )
    ).data?.result;
  const { redemption } = await run('beginRedemption', 'BeginRedemptionInput', { token });
  const redemptionId = redemption.id;
  secrets.set('handle', redemptionId);
  await run('sendRedemptionPasscode', 'RedemptionIdInput', { redemptionId });
  const passcode = await until(() => passcodesTo(gateway, email)[0], 'a passcode');
  const answer = { redemptionId, consent: true, consentVersion: redemption.consentVersion };
  await run('redeemInvitation', 'RedeemInvitationInput', { ...answer, passcode: [passcode] });
  await run('redeemInvitation', 'RedeemInvitationInput', { ...answer, passcode: '00000000' });
  await failing('redemption_flow', async () => {
    await run('redeemInvitation', 'RedeemInvitationInput', { ...answer, passcode });
    const browser = new GuestBrowser();
    await browser.submit(await browser.get(redeemUrl), new URL(redeemUrl).pathname).catch(() => null);
    keepCookies(browser, 'a failing page');
  });
  await run('redeemInvitation', 'RedeemInvitationInput', { ...answer, passcode });
}

/** Password, authenticator app and recovery codes: set up, used, mistyped. */
async function setUpCredentials(email: string): Promise<void> {
  const guest = await signInGuest(gateway, tenant, email);
  personal.add(email);
  const { browser, page } = guest;
  for (const password of ['short', 'my quiet and secret garden'])
    await browser.submit(await browser.get(page('/account/security')), '/password', { password });
  secrets.set('password', 'my quiet and secret garden');
  const totp = await browser.get(page('/account/security/totp'));
  const seed = (/<code class="seed">([^<]*)</.exec(totp.html)?.[1] ?? '').replaceAll(' ', '');
  secrets.set('seed of the app', seed);
  secrets.set('sealed seed in the form', totp.forms[0]?.fields.seed ?? '');
  const code = new TOTP({ secret: Secret.fromBase32(seed) }).generate({ timestamp: gateway.clock.now().getTime() });
  await browser.submit(totp, '/totp', { code: '000000' });
  const shown = await browser.submit(totp, '/totp', { code });
  const codes = [...shown.html.matchAll(/<li><code>([^<]*)<\/code>/g)].map(([, each = '']) => each);
  for (const each of codes) secrets.set(`recovery code ${secrets.size}`, each);
  keepCookies(browser, email);
  await failing('passkey', () => browser.get(page('/account/security')).then(() => undefined));
  const again = new GuestBrowser();
  const asked = await again.submit(await again.get(page('/sign-in?with=account')), '/sign-in', { email });
  for (const password of ['a secret but wrong password', 'my quiet and secret garden']) {
    secrets.set(`password ${secrets.size}`, password);
    await failing('local_password', () => again.submit(asked, '/password', { password }).then(() => undefined));
    const next = await again.submit(asked, '/password', { password });
    if (next.status === 200) await again.submit(next, '/second-factor/code', { code: codes[0] ?? '' });
  }
  keepCookies(again, email);
  await again.post(page('/account/security/passkey'), { csrf: 'secret token of no form', answer: '{"id":"x"}' });
}

/** The database fails in the middle of a request. */
async function failing(table: string, work: () => Promise<void>): Promise<void> {
  await gateway.sql(`alter table ${table} rename to ${table}_away`);
  try {
    await work();
  } finally {
    await gateway.sql(`alter table ${table}_away rename to ${table}`);
  }
}

async function administer(): Promise<void> {
  const key = await gateway.createKey({
    tenantId,
    permissions: ['TENANT_READ', 'INVITATION_WRITE', 'INVITATION_READ'],
  });
  secrets.set('API key', key.secret);
  await gateway.gql('{ viewer { name } }', {}, { key: `${key.secret}x` });
  secrets.set('almost an API key', `${key.secret}x`);
  const app = await gateway.ask(
    `mutation ($input: RegisterAppInput!) { registerApp(input: $input) { app { id } clientSecret userErrors { code field message } } }`,
    { input: { tenantId, displayName: 'Orders', homePageUrl: 'https://orders.example/', redirectUris: [], roles: [] } },
  );
  secrets.set('client secret of an app', app.registerApp.clientSecret);
  const rotated = await gateway.ask(
    `mutation ($input: AppIdInput!) { rotateAppSecret(input: $input) { clientSecret userErrors { code field message } } }`,
    { input: { appId: app.registerApp.app.id } },
  );
  secrets.set('client secret after rotation', rotated.rotateAppSecret.clientSecret);
  // Over the name that is taken: PostgreSQL's own error shows the row.
  await gateway.gql('mutation ($input: RegisterAppInput!) { registerApp(input: $input) { userErrors { code } } }', {
    input: { tenantId, displayName: 'Orders', homePageUrl: 'https://orders.example/', redirectUris: [], roles: [] },
  });
}

async function inviteInOtherWays(): Promise<void> {
  const { id } = await invite('again@litware.example', {
    idempotencyKey: 'once',
    ccRecipients: ['copy@litware.example'],
  });
  await gateway.inviteUser({
    tenantId,
    email: 'again@litware.example',
    message: 'Words to nobody else',
    idempotencyKey: 'once',
    ccRecipients: ['copy@litware.example'],
  });
  const resent = await gateway.ask(
    'mutation ($input: InvitationIdInput!) { resendInvitation(input: $input) { redeemUrl userErrors { code field message } } }',
    { input: { invitationId: id } },
  );
  secrets.set('link sent again', resent.resendInvitation.redeemUrl.split('.').at(-1));
  await invite('gone@litware.example');
  await until(
    async () =>
      (await gateway.sql("select from invitation where email = 'gone@litware.example' and delivery = 'FAILED'")).length,
    'the mail that is refused',
  );
  const emails = ['bulk1@litware.example', 'bulk2@litware.example'];
  for (const email of emails) personal.add(email);
  await gateway.ask(
    'mutation ($input: BulkInviteInput!) { bulkInvite(input: $input) { bulkInvite { id } userErrors { code field message } } }',
    { input: { tenantId, csv: `email\n${emails.join('\n')}\nnobody`, fileName: 'guests.csv' } },
  );
  for (const email of emails) {
    const { mail } = await gateway.waitForMail(email);
    secrets.set(`link of ${email}`, /\/redeem\/inv_\w+\.(\S+)/.exec(mail.text ?? '')?.[1] ?? '');
  }
}

/** As text and as what a program makes of bytes. */
function spellings(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const decoded = Buffer.from(secret, 'base64url');
  const of = [bytes, ...(decoded.length >= 16 ? [decoded] : [])];
  return [secret, encodeURIComponent(secret), ...of.flatMap((each) => [each.toString('hex'), each.toString('base64')])];
}

it('no log line and no row ever written holds anything that opens anything', async () => {
  secrets.set('SECRET_KEYS', SECRET_KEY);
  secrets.set('bootstrap key', gateway.bootstrapKey);
  secrets.set('client secret of a provider', 'a-secret-between-two-organisations');
  for (const label of [
    'link',
    'passcode',
    'csrf',
    'cookie',
    'seal',
    'cursor',
    'idempotency',
    'challenge',
    'recovery',
  ]) {
    const subkey = Buffer.from(hkdfSync('sha256', SECRET_KEY, '', `vestibule/${label}`, 32)).toString('base64url');
    secrets.set(`subkey ${label}`, subkey);
  }
  await administer();
  await redeemByPasscode('ada@litware.example');
  await redeemByProvider('grace@fabrikam.example');
  await redeemByScript('alan@litware.example');
  await setUpCredentials('edsger@litware.example');
  await inviteInOtherWays();
  await proveByPasscode(
    gateway,
    new GuestBrowser(),
    (await invite('late@litware.example')).redeemUrl,
    'late@litware.example',
  );
  for (const email of personal) {
    for (const [index, code] of passcodesTo(gateway, email).entries())
      secrets.set(`passcode ${index} of ${email}`, code);
  }

  const redeemed = await gateway.sql("select from invitation where status = 'REDEEMED'");
  expect(redeemed).toHaveLength(4);
  const stored = await everythingStored();
  const log = logged.join('');
  expect(stored).toContain('send_passcode_mail');
  expect(stored).toContain('IDENTITY_REFUSED');
  expect(log).toContain('a page failed');
  expect(log).toContain('request failed');
  const found = [...secrets].flatMap(([what, secret]) => {
    expect([what, secret.length >= 8]).toEqual([what, true]);
    return spellings(secret).flatMap((text) => [
      ...(log.includes(text) ? [`${what} in the log`] : []),
      ...(stored.includes(text) ? [`${what} in the database`] : []),
    ]);
  });
  expect(found).toEqual([]);
  expect([...personal, 'Words to nobody else'].filter((text) => log.includes(text))).toEqual([]);
  expect(log).not.toMatch(/\/redeem\/inv_|state=|code=|mutation|\$input/);
});
