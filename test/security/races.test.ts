/** Two things at the same moment, one of which takes away what the other stands on: put into the worst order by locks. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Secret, TOTP } from 'otpauth';
import pg from 'pg';
import { SECOND } from '../../src/kernel/clock.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { signInAt } from '../support/openid-provider.js';
import { until } from '../support/until.js';
import { GuestBrowser, passcodesTo, startAt, type WebPage } from '../web/guest-browser.js';
import { addPartner, type Partner } from '../web/partner.js';
import { signInGuest } from '../web/signed-in-guest.js';

let gateway: TestGateway;
let tenant: { id: string; slug: string };
let partner: Partner;
let people = 0;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenant = await gateway.createTenant({ displayName: 'Contoso' });
  partner = await addPartner(gateway, tenant.id, 'fabrikam.example');
});
afterAll(async () => {
  await partner.provider.stop();
  await gateway.stop();
});

const newAddress = (domain = 'litware.example') => `guest${++people}@${domain}`;
const newGuest = () => signInGuest(gateway, tenant, newAddress());
const totp = (seed: string) => new TOTP({ secret: Secret.fromBase32(seed) });
const seedOn = ({ html }: WebPage) => (/<code class="seed">([^<]*)</.exec(html)?.[1] ?? '').replaceAll(' ', '');
const codeOf = (seed: string) => totp(seed).generate({ timestamp: gateway.clock.now().getTime() });
const nextStep = () => gateway.clock.advance(30 * SECOND);
const ended = (one: string, input: object) =>
  gateway.ask(
    `mutation ($input: ${one[0]?.toUpperCase()}${one.slice(1)}Input!) { ${one}(input: $input) { userErrors { code } } }`,
    {
      input,
    },
  );

/** Statements that wait for a lock of somebody else. */
const waiting = async (like = '%') =>
  (
    await gateway.sql(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and state = 'active'
         and query like $1`,
      [like],
    )
  ).length;

/** Holds the locks of a statement while `work` runs, and lets go when it says so. */
async function whileHeld<T>(
  statement: string,
  values: unknown[],
  work: (letGo: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const holder = new pg.Client({ connectionString: gateway.databaseUrl });
  await holder.connect();
  try {
    await holder.query('begin');
    await holder.query(statement, values);
    return await work(async () => {
      await holder.query('rollback');
    });
  } finally {
    await holder.end();
  }
}

/** `change` is held up at its writing, `taking` comes in between as far as it gets; then both go on. */
function between(held: [string, unknown[]], change: () => Promise<unknown>, taking: () => Promise<unknown>) {
  return whileHeld(...held, async (letGo) => {
    const changing = change();
    await until(async () => (await waiting()) === 1, 'the change to be held up');
    let isTaken = false;
    const taken = taking().then(() => {
      isTaken = true;
    });
    await until(async () => isTaken || (await waiting()) === 2, 'what comes in between');
    await letGo();
    await Promise.all([changing, taken]);
  });
}

describe('who loses a way in while they make themselves another', () => {
  it('by a further identity, has none of it after the redemption is reset', async () => {
    const { browser, externalUserId, page } = await newGuest();
    const other = newAddress();
    const asked = await browser.submit(await browser.get(page('/account')), '/identities', { email: other });
    const passcode = await until(() => passcodesTo(gateway, other)[0], 'the passcode');
    await between(
      [
        `insert into identity (id, tenant_id, external_user_id, identity_provider_id, issuer, subject, sign_in_type, linked_at)
         values ('idn_held', $1, $2, '', 'mail', $3, 'EMAIL_PASSCODE', now())`,
        [tenant.id, externalUserId, other],
      ],
      () => browser.submit(asked, '/passcode', { passcode }),
      () => ended('resetRedemption', { externalUserId }),
    );
    expect(await gateway.sql('select from identity where external_user_id = $1', [externalUserId])).toEqual([]);
  });

  it('by a password, has none after the redemption is reset', async () => {
    const { browser, externalUserId, page } = await newGuest();
    const form = await browser.get(page('/account/security'));
    await between(
      [
        `insert into local_password (external_user_id, tenant_id, password_hash, created_at, changed_at)
         values ($1, $2, '\\x00', now(), now())`,
        [externalUserId, tenant.id],
      ],
      () => browser.submit(form, '/password', { password: 'in place before they notice' }),
      () => ended('resetRedemption', { externalUserId }),
    );
    expect(await gateway.sql('select from local_password where external_user_id = $1', [externalUserId])).toEqual([]);
    expect(await gateway.sql('select from identity where external_user_id = $1', [externalUserId])).toEqual([]);
  });

  it('by an authenticator app, has none after the second factor is reset', async () => {
    const { browser, externalUserId, page } = await newGuest();
    const form = await browser.get(page('/account/security/totp'));
    await between(
      [
        `insert into totp (external_user_id, tenant_id, sealed_seed, last_step, created_at) values ($1, $2, '\\x00', 0, now())`,
        [externalUserId, tenant.id],
      ],
      () => browser.submit(form, '/totp', { code: codeOf(seedOn(form)) }),
      () => ended('resetSecondFactor', { externalUserId }),
    );
    expect(await gateway.sql('select from totp where external_user_id = $1', [externalUserId])).toEqual([]);
  });

  it('by the first sign-in of somebody added, is not let in once another address was given', async () => {
    const [old, anew] = [newAddress(), newAddress()];
    const { addExternalUser } = await gateway.ask(
      'mutation ($input: AddExternalUserInput!) { addExternalUser(input: $input) { externalUser { id } userErrors { code } } }',
      { input: { tenantId: tenant.id, email: old } },
    );
    const externalUserId = addExternalUser.externalUser.id;
    const browser = new GuestBrowser();
    const start = await browser.get(`${gateway.url}/t/${tenant.slug}/sign-in`);
    const asked = await browser.submit(start, '/sign-in', { email: old });
    const passcode = await until(() => passcodesTo(gateway, old)[0], 'the passcode');
    const consent = await browser.submit(asked, '/passcode', { passcode });
    await between(
      ['select from external_user where id = $1 for update', [externalUserId]],
      () => ended('resetRedemption', { externalUserId, email: anew }),
      () => browser.submit(consent, '/accept'),
    );
    const users = await gateway.sql('select email, state from external_user where id = $1', [externalUserId]);
    expect(users).toEqual([{ email: anew, state: 'PENDING_ACCEPTANCE' }]);
    expect(await gateway.sql('select from identity where external_user_id = $1', [externalUserId])).toEqual([]);
  });
});

describe('a second factor', () => {
  /** Accepted by signing in at the partner, with an authenticator app. */
  async function guestOfPartner() {
    const email = newAddress('fabrikam.example');
    const { redeemUrl, externalUserId } = await gateway.inviteUser({ tenantId: tenant.id, email });
    const browser = new GuestBrowser();
    const leaving = await browser.submit(await startAt(browser, redeemUrl), '/sign-in');
    const consent = await browser.get(await signInAt(partner.provider, leaving.refreshTo ?? '', email));
    await browser.submit(consent, '/accept');
    const page = await browser.get(`${gateway.url}/t/${tenant.slug}/account/security/totp`);
    const seed = seedOn(page);
    await browser.submit(page, '/totp', { code: codeOf(seed) });
    return { email, seed, externalUserId };
  }

  it('of one guest does not stand in for that of another who signs in meanwhile in the same flow', async () => {
    const [mine, theirs] = [await guestOfPartner(), await guestOfPartner()];
    nextStep();
    const browser = new GuestBrowser();
    const start = await browser.get(`${gateway.url}/t/${tenant.slug}/sign-in`);
    const flow = await browser.submit(start, '/sign-in', { email: mine.email });
    const leaving = await browser.submit(flow, '/sign-in');
    const asked = await browser.get(await signInAt(partner.provider, leaving.refreshTo ?? '', mine.email));
    const again = await browser.submit(flow, '/sign-in');
    const other = new GuestBrowser();
    for (const [name, value] of browser.cookies) other.cookies.set(name, value);
    await whileHeld(
      'select from totp where external_user_id = $1 for update',
      [mine.externalUserId],
      async (letShow) => {
        const shown = browser.submit(asked, '/second-factor/code', { code: codeOf(mine.seed) });
        await until(async () => (await waiting()) === 1, 'the code to be held up');
        // In the middle of recording the other proof, with the flow locked.
        await whileHeld('lock table invitation in share mode', [], async (letProve) => {
          const proven = other.get(await signInAt(partner.provider, again.refreshTo ?? '', theirs.email));
          await until(async () => (await waiting()) === 2, 'the other proof to be held up');
          await letShow();
          await until(
            async () => (await waiting('%redemption_flow%for update')) === 1,
            'the code to wait for the flow',
          );
          await letProve();
          await Promise.all([shown, proven]);
        });
      },
    );
    const [proven] = await gateway.sql(
      'select proof_subject = (select subject from identity where external_user_id = $2) as theirs, second_factor_at from redemption_flow where id = $1',
      [flow.url.pathname.slice('/s/'.length), theirs.externalUserId],
    );
    expect(proven).toEqual({ theirs: true, second_factor_at: null });
  });
});
