import { Writable } from 'node:stream';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { pino } from 'pino';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { refusal, startSmtpServer, type TestSmtpServer } from '../support/smtp-server.js';
import { until } from '../support/until.js';
import { startCollector } from './otlp-collector.js';

type Line = Record<string, unknown> & { msg: string };

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const lines: Line[] = [];
const sink = new Writable({
  write(chunk, _encoding, done) {
    lines.push(JSON.parse(String(chunk)));
    done();
  },
});

let smtp: TestSmtpServer;
let gateway: TestGateway;
let tenantId: string;

beforeAll(async () => {
  smtp = await startSmtpServer({
    onRcptTo: ({ address }, _session, callback) =>
      callback(address.startsWith('later') ? refusal(451, 'not now') : null),
  });
  gateway = await startTestGateway({ smtp, log: pino({ level: 'info' }, sink) });
  tenantId = (await gateway.createTenant()).id;
});
afterAll(async () => {
  await gateway.stop();
  await smtp.stop();
});

const lineOf = (message: string, fields: object) =>
  until(
    () =>
      lines.find(
        (line) => line.msg === message && Object.entries(fields).every(([name, value]) => line[name] === value),
      ),
    `the line "${message}"`,
  );

function ask(query: string, variables: object, headers: Record<string, string> = {}) {
  return fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${gateway.bootstrapKey}`, ...headers },
    body: JSON.stringify({ query, variables }),
  });
}

const INVITE = 'mutation ($input: InviteUserInput!) { inviteUser(input: $input) { userErrors { code } } }';

it('a request says its operation by root field, its tenant and its key', async () => {
  await ask(INVITE, { input: { tenantId, email: 'ada@litware.example' } });
  expect(await lineOf('request answered', { operation: 'inviteUser' })).toMatchObject({
    tenant: tenantId,
    actor: expect.stringMatching(/^key_/),
    requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    route: '/graphql',
  });
});

it("a request's id is the trace's of whoever asks, if it is one", async () => {
  await ask('{ viewer { name } }', {}, { traceparent: `00-${TRACE_ID}-00f067aa0ba902b7-01` });
  await lineOf('request answered', { operation: 'viewer', requestId: TRACE_ID });
  await ask('{ tenants { totalCount } }', {}, { traceparent: 'a line\\nof my own', 'x-request-id': 'mine' });
  const line = await lineOf('request answered', { operation: 'tenants' });
  expect(line.requestId).toMatch(/^[0-9a-f-]{36}$/);
});

it('a fault deep inside says which request it was in', async () => {
  await gateway.sql('alter table invitation rename to invitation_away');
  await ask('query ($id: ID!) { tenant(id: $id) { invitations { totalCount } } }', { id: tenantId });
  await gateway.sql('alter table invitation_away rename to invitation');
  const fault = await lineOf('request failed', { operation: 'tenant' });
  const answered = await lineOf('request answered', { operation: 'tenant' });
  expect(fault.requestId).toBe(answered.requestId);
});

it('a job says its task, its number and its tenant, also when it fails', async () => {
  await ask(INVITE, { input: { tenantId, email: 'later@litware.example' } });
  expect(await lineOf('an attempt of a job failed', { operation: 'send_invitation_mail' })).toMatchObject({
    tenant: tenantId,
    job: expect.stringMatching(/^\d+$/),
  });
});

it('a page says method and route pattern', async () => {
  await fetch(`${gateway.url}/redeem/inv_unknown.secret`);
  await lineOf('request answered', { operation: 'GET /redeem/:token' });
});

it('with tracing on, lines of a request and of its job carry the id of their trace', async () => {
  const collector = await startCollector();
  const traced = await startTestGateway({
    smtp,
    databaseUrl: gateway.databaseUrl,
    log: pino({ level: 'info' }, sink),
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, BOOTSTRAP_API_KEY: gateway.bootstrapKey },
  });
  await fetch(`${traced.url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${gateway.bootstrapKey}`,
      traceparent: `00-${TRACE_ID}-00f067aa0ba902b7-01`,
    },
    body: JSON.stringify({ query: INVITE, variables: { input: { tenantId, email: 'later2@litware.example' } } }),
  });
  await lineOf('request answered', { operation: 'inviteUser', traceId: TRACE_ID });
  await traced.stop();
  await collector.stop();
});
