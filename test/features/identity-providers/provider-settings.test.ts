/** What a redemption asks of the providers of a tenant. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { MikroORM } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { openOrm } from '../../../src/database/orm.js';
import type { Db } from '../../../src/database/transaction.js';
import { entities } from '../../../src/entities.js';
import { loadProviderSettings } from '../../../src/features/identity-providers/identity-providers.service.js';
import { openRouting } from '../../../src/features/partners/routing.queries.js';
import { newId } from '../../../src/kernel/ids.js';
import { silentLog } from '../../../src/kernel/log.js';
import { Secrets } from '../../../src/kernel/secrets.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.js';

const secrets = new Secrets(['k'.repeat(32)]);
const [tenantId, otherTenantId] = [newId('Tenant'), newId('Tenant')];
const [enabledId, disabledId] = [newId('IdentityProvider'), newId('IdentityProvider')];

let database: TestDatabase;
let orm: MikroORM;
let db: Db;

beforeAll(async () => {
  database = await createTestDatabase();
  orm = await openOrm({ url: database.url, poolSize: 2, entities, log: silentLog });
  db = orm.em.getConnection().getClient() as Db;
  for (const id of [tenantId, otherTenantId]) {
    await sql`
      insert into tenant (id, slug, display_name, default_language, own_domains, accent_color, created_at)
      values (${id}, ${id}, 'Contoso', 'en', '{}', '#000000', now())`.execute(db);
  }
  await insertProvider(
    enabledId,
    true,
    'fabrikam.example',
    secrets.seal('very secret', `identity_provider:${enabledId}`),
  );
  await insertProvider(disabledId, false, 'litware.example', null);
});
afterAll(async () => {
  await orm.close();
  await database.drop();
});

async function insertProvider(id: string, enabled: boolean, pattern: string, sealed: Buffer | null): Promise<void> {
  await sql`
    insert into identity_provider (id, tenant_id, kind, display_name, issuer, client_id, sealed_client_secret, scopes, enabled, created_at)
    values (${id}, ${tenantId}, 'OIDC', 'A provider', 'https://login.example', 'vestibule', ${sealed}, '{email}', ${enabled}, now())`.execute(
    db,
  );
  await sql`insert into identity_provider_domain values (${tenantId}, ${pattern}, ${id}, 1)`.execute(db);
}

it('routes to enabled providers of the tenant only', async () => {
  const domains = ['fabrikam.example', 'litware.example'];
  const [mine, others] = [await openRouting(db, tenantId, domains), await openRouting(db, otherTenantId, domains)];
  expect(mine('fabrikam.example').methods).toEqual([
    {
      method: { kind: 'OIDC', providerId: enabledId, displayName: 'A provider', issuer: 'https://login.example' },
      rule: 'DOMAIN',
      pattern: 'fabrikam.example',
    },
  ]);
  for (const route of [mine('litware.example'), others('fabrikam.example')])
    expect(route.methods.map(({ method, rule }) => [method.kind, rule])).toEqual([
      ['EMAIL_PASSCODE', 'NO_PROVIDER'],
      ['LOCAL', 'NO_PROVIDER'],
    ]);
});

it('opens the client secret for the connector, and only within the tenant', async () => {
  const settings = await loadProviderSettings(db, secrets, tenantId, enabledId);
  expect(settings).toEqual({
    id: enabledId,
    issuer: 'https://login.example',
    preset: 'GENERIC',
    clientId: 'vestibule',
    clientSecret: 'very secret',
    clientKey: null,
    scopes: ['email'],
    displayName: 'A provider',
    enabled: true,
  });
  expect(await loadProviderSettings(db, secrets, tenantId, disabledId)).toMatchObject({
    clientSecret: null,
    enabled: false,
  });
  expect(await loadProviderSettings(db, secrets, otherTenantId, enabledId)).toBeNull();
});
