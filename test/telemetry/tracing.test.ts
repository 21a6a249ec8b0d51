import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { silentLog } from '../../src/kernel/log.js';
import { inScope, openScope } from '../../src/kernel/scope.js';
import { parseTraceparent } from '../../src/kernel/tracing.js';
import { createOutboundClient } from '../../src/outbound/outbound-client.js';
import { openTracing, type SamplerName } from '../../src/telemetry/tracing.js';
import { follow } from '../events/follow.js';
import { startTestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';
import { startCollector } from './otlp-collector.js';

const CALLER = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' };
const traceparent = `00-${CALLER.traceId}-${CALLER.spanId}-01`;
const INVITE = `mutation ($input: InviteUserInput!) {
  inviteUser(input: $input) { invitation { id } redeemUrl userErrors { code } }
}`;

describe('a gateway with a collector', () => {
  let collector: Awaited<ReturnType<typeof startCollector>>;
  let tenant: { id: string; slug: string };
  let redeemUrl: string;
  const email = 'ada@litware.example';
  const together = ['1', '2', '3'].map((digit) => ({
    traceId: digit.repeat(32),
    email: `guest${digit}@litware.example`,
  }));
  const bulk = Array.from({ length: 101 }, (_, index) => `bulk${index}@litware.example`);
  const payloads: { payload: { traceparent?: string } }[] = [];

  beforeAll(async () => {
    collector = await startCollector();
    const gateway = await startTestGateway({
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/`,
        OTEL_EXPORTER_OTLP_HEADERS: 'x-team=guests%20and%20more',
        OTEL_SERVICE_NAME: 'guests',
      },
    });
    await gateway.sql('create table kept (payload json)');
    await gateway.sql(`create function keep() returns trigger language plpgsql security definer as
      $$ begin insert into public.kept values (new.payload); return new; end $$`);
    await gateway.sql(
      'create trigger keep before insert on graphile_worker._private_jobs for each row execute function public.keep()',
    );
    tenant = await gateway.createTenant({ displayName: 'Contoso' });
    const invite = async (email: string, traceparent: string) => {
      const response = await fetch(`${gateway.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${gateway.bootstrapKey}`, traceparent },
        body: JSON.stringify({ query: INVITE, variables: { input: { tenantId: tenant.id, email } } }),
      });
      return (await response.json()) as { data: { inviteUser: { redeemUrl: string } } };
    };
    const following = await follow(gateway, { tenantId: tenant.id });
    redeemUrl = (await invite(email, traceparent)).data.inviteUser.redeemUrl;
    await fetch(redeemUrl);
    await Promise.all(together.map(({ traceId, email }) => invite(email, `00-${traceId}-${CALLER.spanId}-01`)));
    await Promise.all([email, ...together.map((guest) => guest.email)].map((address) => gateway.waitForMail(address)));
    await gateway.ask(
      'mutation ($input: BulkInviteInput!) { bulkInvite(input: $input) { bulkInvite { id } userErrors { code field message } } }',
      { input: { tenantId: tenant.id, csv: ['email', ...bulk].join('\n') } },
    );
    await until(
      async () =>
        (await gateway.sql("select from invitation where delivery = 'SENT'")).length ===
        1 + together.length + bulk.length,
      'all mails to be reported',
    );
    await following.stop();
    payloads.push(...(await gateway.sql<{ payload: object }>('select payload from kept')));
    await gateway.stop();
  });
  afterAll(() => collector.stop());

  const inTrace = (traceId: string) => collector.spans.filter((span) => span.traceId === traceId);

  /** Names from the first span of a trace to each of this name. */
  const waysTo = (name: string, spans = collector.spans): string[][] => {
    const byId = new Map(spans.map((span) => [span.spanId, span]));
    return spans
      .filter((span) => span.name === name)
      .map((found) => {
        const way: string[] = [];
        for (let span: typeof found | undefined = found; span; span = byId.get(span.parentSpanId ?? ''))
          way.unshift(span.name);
        return way;
      });
  };

  it('shows what a request and a job ask of the database', () => {
    expect(waysTo('transaction')).toContainEqual(['POST /graphql', 'mutation createTenant', 'transaction']);
    const ofMails = waysTo('statement').filter((way) => way.includes('process send_invitation_mail'));
    expect(ofMails.length).toBeGreaterThan(0);
  });

  it('shows an invitation as one trace, from the request over the job to the mail server', () => {
    const spans = inTrace(CALLER.traceId);
    const wayTo = (name: string): string[] => waysTo(name, spans)[0] ?? [];
    expect(wayTo('send mail')).toEqual([
      'POST /graphql',
      'mutation inviteUser',
      'process send_invitation_mail',
      'send mail',
    ]);
    expect(wayTo('statement')).toEqual(['POST /graphql', 'mutation inviteUser', 'statement']);
    expect(spans.find((span) => span.name === 'POST /graphql')).toMatchObject({
      parentSpanId: CALLER.spanId,
      attributes: { 'http.request.method': 'POST', 'http.route': '/graphql', 'http.response.status_code': 200 },
      resource: { 'service.name': 'guests', 'service.version': expect.any(String) },
    });
    expect(spans.find((span) => span.name === 'mutation inviteUser')?.attributes).toEqual({
      'graphql.operation.type': 'mutation',
      'graphql.operation.name': 'inviteUser',
      'vestibule.tenant.id': tenant.id,
    });
  });

  it('keeps each mail in the trace of its own request, also when requests are written by one statement', () => {
    for (const { traceId } of together) {
      const names = inTrace(traceId).map((span) => span.name);
      expect(names.filter((name) => name === 'send mail' || name === 'mutation inviteUser').toSorted()).toEqual([
        'mutation inviteUser',
        'send mail',
      ]);
    }
  });

  it('hands the trace to a job by its payload, beside the ids', () => {
    expect(payloads.map(({ payload }) => parseTraceparent(payload.traceparent))).not.toContain(null);
  });

  it('begins a trace of its own for each mail of a bulk invite after the first hundred, linked to the one of the batch', () => {
    const [mail, ...others] = collector.named('process send_invitation_mail').filter((span) => span.links.length > 0);
    const [run] = collector.named('process run_bulk_invite');
    expect(others).toEqual([]);
    expect(mail?.links).toMatchObject([{ traceId: run?.traceId }]);
    expect(mail?.traceId).not.toBe(run?.traceId);
    expect(collector.named('mutation bulkInvite')[0]?.traceId).toBe(run?.traceId);
  });

  it('names routes and ids, never an address, a link, a name or a variable', () => {
    expect(collector.named('GET /redeem/:token')).toHaveLength(1);
    const everything = JSON.stringify(collector.spans);
    const token = new URL(redeemUrl).pathname.split('/').at(-1) ?? 'no token';
    for (const secret of ['litware', 'bulk1', 'Contoso', tenant.slug, token, '$input']) {
      expect([secret, everything.includes(secret)]).toEqual([secret, false]);
    }
  });

  it('shows what is delivered to subscribers as traces of their own', () => {
    const [delivery] = collector.named('subscription redemptionEvents');
    expect(delivery).toMatchObject({
      attributes: { 'graphql.operation.type': 'subscription', 'graphql.operation.name': 'redemptionEvents' },
    });
    expect(delivery?.parentSpanId).toBeUndefined();
  });

  it('sends to /v1/traces below the endpoint, with the headers of the configuration', () => {
    expect(collector.requests[0]).toMatchObject({ url: '/v1/traces', headers: { 'x-team': 'guests and more' } });
  });
});

it('without a collector job payloads are what they were, and nothing stops a start', async () => {
  const gateway = await startTestGateway();
  await gateway.sql(`create table kept (payload json)`);
  await gateway.sql(`create function keep() returns trigger language plpgsql security definer as
    $$ begin insert into public.kept values (new.payload); return new; end $$`);
  await gateway.sql(
    'create trigger keep before insert on graphile_worker._private_jobs for each row execute function public.keep()',
  );
  const { id: tenantId } = await gateway.createTenant();
  const { id } = await gateway.inviteUser({ tenantId, email: 'ada@litware.example' });
  const kept = await gateway.sql<{ payload: object }>(
    "select payload from kept where payload->>'invitationId' is not null",
  );
  await gateway.stop();
  expect(kept).toEqual([{ payload: { invitationId: id, linkVersion: 1 } }]);
});

it('a collector that takes nothing costs a warning and nothing else', async () => {
  const collector = await startCollector({ status: 401 });
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (_fields: object, message: string) => warnings.push(message) };
  const gateway = await startTestGateway({ log, env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url } });
  await gateway.createTenant();
  await gateway.stop();
  await collector.stop();
  expect(warnings.filter((message) => message.includes('traces'))).toEqual(['traces could not be sent']);
});

function tracingTo(endpoint: string, sampler: SamplerName, ratio = 1) {
  return openTracing({ endpoint, headers: {}, serviceName: 'test', version: '0', sampler, ratio, log: silentLog });
}

it('a host elsewhere is asked without a word about the trace', async () => {
  const collector = await startCollector();
  const seen: Record<string, unknown>[] = [];
  const host = createServer((request, response) => {
    seen.push(request.headers);
    response.end();
  });
  host.listen(0, '127.0.0.1');
  await once(host, 'listening');
  const tracing = tracingTo(collector.url, 'always_on');
  const client = createOutboundClient({ allowPrivateProviders: true, log: silentLog });
  const span = tracing.start('test', {});
  await inScope(openScope({ operation: 'test' }, span), () =>
    client.fetch(`http://127.0.0.1:${(host.address() as AddressInfo).port}/secret-path?code=secret-code`),
  );
  span.end();
  await tracing.close();
  await Promise.all([client.close(), collector.stop(), new Promise((resolve) => host.close(resolve))]);
  expect(Object.keys(seen[0] ?? {}).filter((name) => /trace|baggage|b3/.test(name))).toEqual([]);
  expect(collector.named('GET')).toMatchObject([
    { attributes: { 'server.address': '127.0.0.1', 'http.response.status_code': 200 } },
  ]);
  expect(JSON.stringify(collector.spans)).not.toContain('secret');
});

it.each<[SamplerName, number, string | undefined, number]>([
  ['always_on', 1, undefined, 1],
  ['always_off', 1, traceparent, 0],
  ['traceidratio', 0, traceparent, 0],
  ['parentbased_always_off', 1, undefined, 0],
  ['parentbased_always_off', 1, traceparent, 1],
  ['parentbased_traceidratio', 0, undefined, 0],
  ['parentbased_always_on', 1, traceparent.replace(/01$/, '00'), 0],
])(
  'the sampler %s of share %d keeps of a request with traceparent %s this many spans: %d',
  async (name, ratio, parent, kept) => {
    const collector = await startCollector();
    const tracing = tracingTo(collector.url, name, ratio);
    const span = tracing.start('test', { parent });
    expect(parseTraceparent(span.traceparent)?.sampled).toBe(kept === 1);
    span.end();
    await tracing.close();
    await collector.stop();
    expect(collector.spans).toHaveLength(kept);
  },
);

it.each([
  [traceparent, { ...CALLER, sampled: true }],
  [traceparent.replace(/01$/, '00'), { ...CALLER, sampled: false }],
  [`cc-${CALLER.traceId}-${CALLER.spanId}-01-what-comes-later`, { ...CALLER, sampled: true }],
  [`${traceparent}-more`, null],
  [`ff-${CALLER.traceId}-${CALLER.spanId}-01`, null],
  [`00-${'0'.repeat(32)}-${CALLER.spanId}-01`, null],
  [`00-${CALLER.traceId}-${'0'.repeat(16)}-01`, null],
  [traceparent.toUpperCase(), null],
  [`${traceparent}, ${traceparent}`, null],
  [undefined, null],
])('the traceparent %s is read as %j (W3C Trace Context 3.2)', (header, context) => {
  expect(parseTraceparent(header)).toEqual(context);
});
