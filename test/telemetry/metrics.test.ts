import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { refusal, startSmtpServer, type TestSmtpServer } from '../support/smtp-server.js';
import { until } from '../support/until.js';
import { GuestBrowser, proveByPasscode } from '../web/guest-browser.js';

const TOKEN = 'a-token-of-the-operator-of-32-characters';
const docs = join(import.meta.dirname, '../../docs');
const text = (file: string) => readFileSync(join(docs, file), 'utf8');

let smtp: TestSmtpServer;
let gateway: TestGateway;
let tenant: { id: string; slug: string };

beforeAll(async () => {
  smtp = await startSmtpServer({
    onRcptTo: ({ address }, _session, callback) =>
      callback(
        address.startsWith('gone')
          ? refusal(550, '5.1.1 nobody')
          : address.startsWith('later')
            ? refusal(451, '')
            : null,
      ),
  });
  gateway = await startTestGateway({ smtp, env: { METRICS_TOKEN: TOKEN } });
  tenant = await gateway.createTenant({ displayName: 'Contoso' });
});
afterAll(async () => {
  await gateway.stop();
  await smtp.stop();
});

async function scrape(): Promise<string> {
  const response = await fetch(`${gateway.url}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } });
  return response.text();
}

/** The value of the one series with these labels; undefined: there is none. */
async function seriesValue(name: string, labels: Record<string, string> = {}): Promise<number | undefined> {
  const line = (await scrape())
    .split('\n')
    .find(
      (each) =>
        new RegExp(`^${name}[{ ]`).test(each) &&
        Object.entries(labels).every(([label, value]) => each.includes(`${label}="${value}"`)),
    );
  return line === undefined ? undefined : Number(line.split(' ').at(-1));
}

const reaches = (name: string, labels: Record<string, string>, value: number) =>
  until(async () => (await seriesValue(name, labels)) === value, `${name} ${JSON.stringify(labels)} to be ${value}`);

it('requests count by route pattern, operations by root field', async () => {
  await gateway.gql('{ viewer { name } }');
  await fetch(`${gateway.url}/redeem/inv_unknown.secret`);
  await fetch(`${gateway.url}/no/such/place`);
  await reaches('vestibule_http_request_seconds_count', { route: '/graphql', method: 'POST', status: '200' }, 2);
  await reaches('vestibule_http_request_seconds_count', { route: '/redeem/:token', method: 'GET' }, 1);
  await reaches('vestibule_http_request_seconds_count', { route: 'none', status: '404' }, 1);
  await reaches('vestibule_graphql_operation_seconds_count', { kind: 'query', field: 'viewer', result: 'ok' }, 1);
});

it('mails, jobs and what waits count by outcome', async () => {
  for (const email of ['ada@litware.example', 'gone@litware.example', 'later@litware.example'])
    await gateway.inviteUser({ tenantId: tenant.id, email });
  const task = 'send_invitation_mail';
  await reaches('vestibule_mails_total', { outcome: 'sent' }, 1);
  await reaches('vestibule_mails_total', { outcome: 'failed' }, 1);
  await until(
    async () => ((await seriesValue('vestibule_mails_total', { outcome: 'postponed' })) ?? 0) >= 1,
    'a mail postponed',
  );
  await reaches('vestibule_job_seconds_count', { task, outcome: 'done' }, 2);
  await until(
    async () => ((await seriesValue('vestibule_job_seconds_count', { task, outcome: 'retried' })) ?? 0) >= 1,
    'a retry',
  );
});

it('what waits counts by state, with the age of the oldest that is ready', async () => {
  await gateway.sql("select graphile_worker.add_job('nobody_does_this', run_at => now() - interval '1 hour')");
  await gateway.sql("select graphile_worker.add_job('nobody_does_this', run_at => now() + interval '1 hour')");
  const labels = { task: 'nobody_does_this' };
  // Counted at most every five seconds.
  await until(
    async () => (await seriesValue('vestibule_jobs', { ...labels, state: 'ready' })) === 1,
    'a job to wait',
    15_000,
  );
  expect(await seriesValue('vestibule_jobs', { ...labels, state: 'scheduled' })).toBe(1);
  expect(await seriesValue('vestibule_jobs', { task: 'send_invitation_mail', state: 'retrying' })).toBe(1);
  expect(await seriesValue('vestibule_job_oldest_ready_seconds', labels)).toBeGreaterThanOrEqual(3600);
});

it('steps of guests count by how they ended, rows of bulk invites by outcome', async () => {
  const email = 'grace@litware.example';
  const { redeemUrl } = await gateway.inviteUser({ tenantId: tenant.id, email });
  await proveByPasscode(gateway, new GuestBrowser(), redeemUrl, email);
  expect(await seriesValue('vestibule_redemption_steps_total', { step: 'start', outcome: 'ok' })).toBe(1);
  expect(await seriesValue('vestibule_redemption_steps_total', { step: 'prove_passcode', outcome: 'ok' })).toBe(1);
  await gateway.gql(
    'mutation ($input: BeginRedemptionInput!) { beginRedemption(input: $input) { userErrors { code } } }',
    { input: { token: 'inv_unknown.secret' } },
    { key: null },
  );
  expect(
    await seriesValue('vestibule_redemption_steps_total', { step: 'start', outcome: 'INVITATION_NOT_FOUND' }),
  ).toBe(1);
  await gateway.ask(
    'mutation ($input: BulkInviteInput!) { bulkInvite(input: $input) { bulkInvite { id } userErrors { code field message } } }',
    { input: { tenantId: tenant.id, csv: 'email\nalan@litware.example\ngrace@litware.example\nnobody' } },
  );
  await reaches('vestibule_bulk_rows_total', { outcome: 'invited' }, 1);
  await until(
    async () => ((await seriesValue('vestibule_bulk_rows_total', { outcome: 'rejected' })) ?? 0) >= 1,
    'rows rejected',
  );
});

it('the feed, the pool and the process describe themselves', async () => {
  expect(await seriesValue('vestibule_feed_horizon_age_seconds')).toBeGreaterThanOrEqual(0);
  expect(await seriesValue('vestibule_feed_lag_seconds')).toBeLessThan(10);
  expect(await seriesValue('vestibule_database_connections_max')).toBe(10);
  expect(await seriesValue('vestibule_database_connections', { state: 'idle' })).toBeGreaterThanOrEqual(0);
  expect(await seriesValue('vestibule_database_connection_requests_waiting')).toBe(0);
  expect(await seriesValue('vestibule_build_info', { node: process.version })).toBe(1);
});

it('a database that cannot be asked takes away what it alone knows, and nothing else', async () => {
  await gateway.sql('alter table graphile_worker._private_jobs rename to _private_jobs_away');
  await until(async () => (await seriesValue('vestibule_job_queue_readable')) === 0, 'the queue to be unknown', 15_000);
  expect(await seriesValue('vestibule_jobs')).toBeUndefined();
  await gateway.sql('alter table graphile_worker._private_jobs_away rename to _private_jobs');
  expect(await seriesValue('vestibule_build_info')).toBe(1);
});

it('no tenant, address or link becomes a label', async () => {
  const page = await scrape();
  for (const secret of ['litware', 'Contoso', tenant.id, tenant.slug, 'secret']) expect(page).not.toContain(secret);
});

describe('what is written about metrics', () => {
  let known: Set<string>;
  beforeAll(async () => {
    known = new Set(
      [...(await scrape()).matchAll(/^# TYPE (\S+) (\S+)/gm)].flatMap(([, name = '', type]) => seriesOf(name, type)),
    );
  });

  function seriesOf(name: string, type: string | undefined): string[] {
    return type === 'histogram' ? [name, `${name}_bucket`, `${name}_count`, `${name}_sum`] : [name];
  }
  const named = (file: string) =>
    new Set([...text(file).matchAll(/\bvestibule_[a-z_]+[a-z]\b/g)].map(([name]) => name));

  it.each(['grafana-dashboard.json', 'prometheus-alerts.yml'])('%s asks for nothing that does not exist', (file) => {
    expect(named(file).size).toBeGreaterThan(10);
    expect([...named(file)].filter((name) => !known.has(name))).toEqual([]);
  });

  it('operations.md has a row for each metric of ours', () => {
    const rows = named('operations.md');
    const ours = [...known].filter((name) => !/_(bucket|count|sum)$|^vestibule_(process|nodejs)_/.test(name));
    expect(ours.filter((name) => !rows.has(name))).toEqual([]);
  });

  it('the dashboard can be imported: its panels have distinct ids and a source of data to choose', () => {
    const { panels, __inputs: inputs } = JSON.parse(text('grafana-dashboard.json'));
    expect(inputs).toMatchObject([{ name: 'DS_PROMETHEUS', type: 'datasource', pluginId: 'prometheus' }]);
    expect(new Set(panels.map((panel: { id: number }) => panel.id)).size).toBe(panels.length);
  });
});
