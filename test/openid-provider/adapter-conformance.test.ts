/**
 * What the library expects of its storage (its `example/my_adapter.js` says it in words), against ours on PostgreSQL and, to
 * show that the suite asks for no more, against the demo's in memory.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Adapter, AdapterPayload } from 'oidc-provider';
import { MemoryAdapter } from '../../demo/memory-adapter.js';
import { systemActor } from '../../src/kernel/actor.js';
import { HOUR, later } from '../../src/kernel/clock.js';
import { forgetExpiredPayloads, PayloadAdapter } from '../../src/openid-provider/payload-adapter.js';
import { RequestContext } from '../../src/request/request-context.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let tenantId: string;
let otherTenantId: string;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenantId = (await gateway.createTenant()).id;
  otherTenantId = (await gateway.createTenant()).id;
});
afterAll(() => gateway.stop());

const contextOf = (tenant: string | null) => () => new RequestContext(gateway.app.ground, systemActor('test', tenant));
const onPostgres = (model: string, tenant = tenantId) => new PayloadAdapter(model, tenant, contextOf(tenant));

const memory = new Map<string, AdapterPayload>();
const implementations: [string, (model: string) => Adapter][] = [
  ['PostgreSQL', (model) => onPostgres(model)],
  ['memory', (model) => new MemoryAdapter(model, memory, [])],
];

let count = 0;
const newId = () => `id-${++count}-${'x'.repeat(30)}`;
const seconds = (from = 0) => Math.floor(Date.now() / 1000) + from;
const payload = (more: object = {}): AdapterPayload => ({ iat: seconds(), exp: seconds(60), kind: 'x', ...more });

const models = ['Grant', 'Session', 'AccessToken', 'AuthorizationCode', 'RefreshToken', 'DeviceCode', 'Interaction'];

describe.each(implementations)('storage on %s', (_name, adapterOf) => {
  it.each(models)('gives back what was stored of %s, unknown properties included, and nothing else', async (model) => {
    const [adapter, id] = [adapterOf(model), newId()];
    const stored = payload({ jti: id, nested: { list: [1, null, 'ü'] }, extra: { unknown: true } });
    await adapter.upsert(id, stored, 60);
    expect(await adapter.find(id)).toEqual(stored);
    expect(await adapter.find(newId())).toBeUndefined();
    expect(await adapterOf(model === 'Grant' ? 'Session' : 'Grant').find(id)).toBeUndefined();
  });

  it('replaces what is stored again', async () => {
    const [adapter, id] = [adapterOf('DeviceCode'), newId()];
    await adapter.upsert(id, payload({ jti: id, userCode: `CODE${count}` }), 60);
    await adapter.upsert(id, payload({ jti: id, userCode: `CODE${count}`, inFlight: true }), 60);
    expect(await adapter.find(id)).toMatchObject({ inFlight: true });
  });

  it('finds sessions by uid and device codes by user code', async () => {
    const [session, device] = [newId(), newId()];
    await adapterOf('Session').upsert(session, payload({ jti: session, uid: `uid-${session}` }), 60);
    await adapterOf('DeviceCode').upsert(device, payload({ jti: device, userCode: `UC${device}` }), 60);
    expect(await adapterOf('Session').findByUid(`uid-${session}`)).toMatchObject({ jti: session });
    expect(await adapterOf('DeviceCode').findByUserCode(`UC${device}`)).toMatchObject({ jti: device });
    expect(await adapterOf('Session').findByUid('nobody')).toBeUndefined();
    expect(await adapterOf('DeviceCode').findByUserCode('NONE')).toBeUndefined();
  });

  it('says of what was consumed that it was', async () => {
    const [adapter, id] = [adapterOf('AuthorizationCode'), newId()];
    await adapter.upsert(id, payload({ jti: id }), 60);
    expect((await adapter.find(id))?.consumed).toBeUndefined();
    await adapter.consume(id);
    expect((await adapter.find(id))?.consumed).toBeGreaterThan(seconds(-60));
  });

  it('forgets what was destroyed, and all of a grant that was revoked', async () => {
    const [grantId, first, second, other] = [newId(), newId(), newId(), newId()];
    const adapter = adapterOf('AccessToken');
    for (const id of [first, second]) await adapter.upsert(id, payload({ jti: id, grantId }), 60);
    await adapter.upsert(other, payload({ jti: other, grantId: newId() }), 60);
    await adapter.destroy(first);
    expect(await adapter.find(first)).toBeUndefined();
    await adapter.revokeByGrantId(grantId);
    expect(await adapter.find(second)).toBeUndefined();
    expect(await adapter.find(other)).toBeDefined();
  });
});

describe('storage on PostgreSQL, besides,', () => {
  it('lets one of many consume, and ends what the others were given', async () => {
    const [grantId, id, token] = [newId(), newId(), newId()];
    await onPostgres('AuthorizationCode').upsert(id, payload({ jti: id, grantId }), 60);
    await onPostgres('AccessToken').upsert(token, payload({ jti: token, grantId }), 60);
    const tries = Array.from({ length: 10 }, () => onPostgres('AuthorizationCode').consume(id));
    const outcomes = await Promise.allSettled(tries);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await onPostgres('AccessToken').find(token)).toBeUndefined();
  });

  it('takes a proof that was seen once only', async () => {
    const id = newId();
    const see = () => onPostgres('ReplayDetection').upsert(id, payload({ jti: id }), 60);
    const outcomes = await Promise.allSettled([see(), see(), see()]);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('keeps tenants apart', async () => {
    const [id, grantId] = [newId(), newId()];
    await onPostgres('AccessToken').upsert(id, payload({ jti: id, grantId }), 60);
    expect(await onPostgres('AccessToken', otherTenantId).find(id)).toBeUndefined();
    await onPostgres('AccessToken', otherTenantId).revokeByGrantId(grantId);
    await onPostgres('AccessToken', otherTenantId).destroy(id);
    expect(await onPostgres('AccessToken').find(id)).toBeDefined();
  });

  it('sweeps what is over, and only that', async () => {
    const [over, live] = [newId(), newId()];
    const adapter = onPostgres('AccessToken');
    await adapter.upsert(over, payload({ jti: over, exp: seconds(-2 * 60 * 60) }), 0);
    await adapter.upsert(live, payload({ jti: live }), 60);
    await forgetExpiredPayloads(contextOf(null)(), later(new Date(), -HOUR));
    expect(await adapter.find(over)).toBeUndefined();
    expect(await adapter.find(live)).toBeDefined();
  });
});
