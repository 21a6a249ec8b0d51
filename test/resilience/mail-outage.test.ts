/** Mail servers that are down, hang, break off or refuse: no mail is lost, and what will never arrive says why. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { SMTPServerOptions } from 'smtp-server';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { refusal, startSmtpServer, type TestSmtpServer } from '../support/smtp-server.js';
import { until } from '../support/until.js';

type Recipients = NonNullable<SMTPServerOptions['onRcptTo']>;

const accept: Recipients = (_address, _session, callback) => callback();

let smtp: TestSmtpServer;
let gateway: TestGateway;
let tenantId: string;
/** What the mail server does with a recipient; changed by tests. */
let onRecipient: Recipients;
let isDown: boolean;

beforeAll(async () => {
  smtp = await startSmtpServer({
    onConnect: (_session, callback) => callback(isDown ? refusal(421, 'Closing') : null),
    onRcptTo: (...recipient) => onRecipient(...recipient),
  });
  gateway = await startTestGateway({ smtp, env: { SMTP_URL: `${smtp.url}?socketTimeout=400` } });
  tenantId = (await gateway.createTenant()).id;
});

afterAll(async () => {
  await gateway.stop();
  await smtp.stop();
});

beforeEach(() => {
  onRecipient = accept;
  isDown = false;
  smtp.dropConnections();
});

const addressOf = (name: string) => `${name}@fabrikam.example`;

interface Delivered {
  delivery: string;
  reason: string | null;
  events: string[];
}

async function deliveryOf(name: string): Promise<Delivered | undefined> {
  const rows = await gateway.sql<Delivered>(
    `select i.delivery, i.delivery_error as reason,
      array(select coalesce(type || ': ' || detail, type) from event e where e.invitation_id = i.id order by seq) as events
    from invitation i where email_key = $1`,
    [addressOf(name)],
  );
  return rows[0];
}

const invite = (name: string) => gateway.inviteUser({ tenantId, email: addressOf(name) });

const postponed = (attempts: number) =>
  until(
    async () =>
      (await gateway.sql('select from graphile_worker.jobs where attempts = $1 and locked_at is null', [attempts]))[0],
    'the attempt to fail',
  );

/** The worker's own pause is seconds, then minutes. */
const comeAgainNow = () => gateway.sql('update graphile_worker._private_jobs set run_at = now()');

const isSent = (name: string) =>
  until(async () => (await deliveryOf(name))?.delivery === 'SENT', `the mail to ${name} to be sent`);

describe('a mail server', () => {
  it('that is down for two attempts gets the mail at the third', async () => {
    isDown = true;
    await invite('down');
    await postponed(1);
    expect(await deliveryOf('down')).toEqual({ delivery: 'QUEUED', reason: null, events: ['INVITED'] });
    await comeAgainNow();
    await postponed(2);
    isDown = false;
    await comeAgainNow();
    await isSent('down');
    expect((await deliveryOf('down'))?.events).toEqual(['INVITED', 'MAIL_SENT']);
    expect(gateway.mails(addressOf('down'))).toHaveLength(1);
  });

  it('that hangs is given up on in time, and asked again', async () => {
    onRecipient = () => undefined;
    await invite('hanging');
    await postponed(1);
    onRecipient = accept;
    await comeAgainNow();
    await isSent('hanging');
    expect(gateway.mails(addressOf('hanging'))).toHaveLength(1);
  });

  it('that breaks off before it has the message is asked again', async () => {
    onRecipient = (_address, _session, callback) => {
      callback();
      smtp.dropConnections();
    };
    await invite('dropped');
    await postponed(1);
    onRecipient = accept;
    await comeAgainNow();
    await isSent('dropped');
    expect(gateway.mails(addressOf('dropped'))).toHaveLength(1);
  });

  it('that refuses one address for good makes that delivery FAILED with a reason, and no other', async () => {
    onRecipient = ({ address }, _session, callback) =>
      callback(address === addressOf('refused') ? refusal(550, '5.1.1 secret words of the server') : null);
    await invite('refused');
    await invite('accepted');
    await isSent('accepted');
    const reason = 'The mail server refused the address: the address does not exist (550 5.1.1).';
    await until(async () => (await deliveryOf('refused'))?.delivery === 'FAILED', 'the refusal');
    expect(await deliveryOf('refused')).toEqual({
      delivery: 'FAILED',
      reason,
      events: ['INVITED', `MAIL_FAILED: ${reason}`],
    });
  });

  it('that never takes it makes the delivery FAILED after the last attempt', async () => {
    isDown = true;
    await invite('never');
    await postponed(1);
    await gateway.sql('update graphile_worker._private_jobs set max_attempts = 2, run_at = now()');
    await until(async () => (await deliveryOf('never'))?.delivery === 'FAILED', 'the last attempt');
    expect((await deliveryOf('never'))?.reason).toBe('The mail server does not take the mail now (421).');
  });
});
