/**
 * What bulk invites run on, without HTTP: a database of its own, a clock that is moved by hand, one tenant and the key that
 * invites. Jobs are run by the test, so that it can stop between two chunks.
 */
import type { MikroORM } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { Listener } from '../../../src/database/listener.js';
import { openOrm } from '../../../src/database/orm.js';
import { Tables } from '../../../src/database/table.js';
import type { Db } from '../../../src/database/transaction.js';
import { entities } from '../../../src/entities.js';
import { FeedTail } from '../../../src/events/feed-tail.js';
import { newApiKeySecret, storeApiKey } from '../../../src/features/access/store-api-key.js';
import { BulkInvite } from '../../../src/features/bulk-invites/bulk-invite.entity.js';
import { listenForBulkInvites } from '../../../src/features/bulk-invites/bulk-invite-progress.js';
import { BulkInviteRun } from '../../../src/features/bulk-invites/bulk-invite-run.service.js';
import { readRows } from '../../../src/features/bulk-invites/bulk-invites.queries.js';
import { BulkInvitesService, type NewBulkInvite } from '../../../src/features/bulk-invites/bulk-invites.service.js';
import type { InviteRowText } from '../../../src/features/bulk-invites/invite-csv-columns.js';
import { MailLimits } from '../../../src/features/invitations/mail-limits.service.js';
import { TenantCache } from '../../../src/features/tenants/tenant-cache.service.js';
import { TenantsService } from '../../../src/features/tenants/tenants.service.js';
import { type Actor, type Permission, permissions, systemActor } from '../../../src/kernel/actor.js';
import type { UserErrorEntry } from '../../../src/kernel/errors.js';
import { newId } from '../../../src/kernel/ids.js';
import { silentLog } from '../../../src/kernel/log.js';
import { nameKey } from '../../../src/kernel/names.js';
import { Secrets } from '../../../src/kernel/secrets.js';
import { rowById } from '../../../src/request/lookup.js';
import { type Ground, RequestContext } from '../../../src/request/request-context.js';
import { createTestDatabase } from '../../support/postgres.js';

export interface BulkGround {
  db: Db;
  ground: Ground;
  tenantId: string;
  inviter: Actor;
  bulkInvites: BulkInvitesService;
  bulkRun: BulkInviteRun;
  context(actor?: Actor): RequestContext;
  /** Runs the job to its end. */
  run(id: string): Promise<void>;
  read(id: string): Promise<NonNullable<Awaited<ReturnType<typeof readBulkInvite>>>>;
  rows(id: string): Promise<RowRead[]>;
  newTenant(slug: string): Promise<string>;
  newKey(tenantId: string, permissions: readonly Permission[]): Promise<Actor>;
  newApp(tenantId: string, displayName: string, homePageUrl: string): Promise<string>;
  newGroup(tenantId: string, displayName: string): Promise<string>;
  stop(): Promise<void>;
}

export interface RowRead {
  row: number;
  email: string | null;
  outcome: string;
  errors: UserErrorEntry[];
  invitationId: string | null;
}

export const NOW = new Date('2026-11-20T10:00:00.000Z');

const MAILS_PER_HOUR = 100_000;

export async function openBulkGround({ mailsPerHour = MAILS_PER_HOUR } = {}): Promise<BulkGround> {
  const database = await createTestDatabase();
  const orm = await openOrm({ url: database.url, poolSize: 5, entities, log: silentLog });
  const listener = new Listener(database.url, silentLog);
  const ground = makeGround(orm, listener);
  listenForBulkInvites(listener);
  await listener.start();
  // Nobody follows the feed here, and its reader would take the time that chunks are measured by.
  await ground.feed.stop();
  const db = orm.em.getConnection().getClient() as Db;
  const context = (actor: Actor = systemActor('Test')) => new RequestContext(ground, actor);
  const newTenant = (slug: string) =>
    new TenantsService(new TenantCache(listener)).create(context(), {
      slug,
      displayName: slug,
      defaultLanguage: 'en',
      ownDomains: [`${slug}.example`],
    });
  const newKey = async (tenantId: string, allowed: readonly Permission[]): Promise<Actor> => {
    const key = { tenantId, name: 'Onboarding', permissions: [...allowed], expiresAt: null };
    const id = await context().transaction(tenantId, (tx) => storeApiKey(tx, key, newApiKeySecret(), NOW));
    return { kind: 'API_KEY', id, displayName: key.name, tenantId, permissions: new Set(allowed), expiresAt: null };
  };
  const limits = new MailLimits(mailsPerHour);
  const bulkRun = new BulkInviteRun(limits, context);
  const tenantId = await newTenant('contoso');
  return {
    db,
    ground,
    tenantId,
    inviter: await newKey(tenantId, permissions),
    bulkInvites: new BulkInvitesService(),
    bulkRun,
    context,
    run: async (id) => void (await bulkRun.run(context(), id)),
    read: async (id) => {
      const bulkInvite = await readBulkInvite(context(), id);
      if (!bulkInvite) throw new Error(`There is no ${id}.`);
      return bulkInvite;
    },
    rows: (id) => allRows(context(), id),
    newTenant,
    newKey,
    newApp: async (ofTenant, displayName, homePageUrl) => {
      const id = newId('App');
      await sql`insert into app (id, tenant_id, display_name, name_key, client_id, client_secret_hash, home_page_url,
          redirect_uris, assignment_required, roles, created_at)
        values (${id}, ${ofTenant}, ${displayName}, ${nameKey(displayName)}, ${id}, ''::bytea, ${homePageUrl}, '{}', true, '{}', ${NOW})`.execute(
        db,
      );
      return id;
    },
    newGroup: async (ofTenant, displayName) => {
      const id = newId('Group');
      await sql`insert into user_group (id, tenant_id, display_name, name_key, created_at)
        values (${id}, ${ofTenant}, ${displayName}, ${nameKey(displayName)}, ${NOW})`.execute(db);
      return id;
    },
    stop: async () => {
      await listener.stop();
      await orm.close();
      await database.drop();
    },
  };
}

function makeGround(orm: MikroORM, listener: Listener): Ground {
  const db = orm.em.getConnection().getClient() as Db;
  return {
    orm,
    tables: new Tables(orm),
    secrets: new Secrets(['a-server-secret-of-at-least-32-characters']),
    clock: { now: () => NOW },
    log: silentLog,
    feed: new FeedTail(db, listener, silentLog),
    listener,
  };
}

function readBulkInvite(ctx: RequestContext, id: string) {
  return rowById(ctx, BulkInvite, id);
}

async function allRows(ctx: RequestContext, id: string): Promise<RowRead[]> {
  const rows = await readRows(ctx, id, 0, 100_000);
  return rows.map(({ rowNumber, ...row }) => ({ row: rowNumber, ...row }));
}

/** A row of a batch with nothing but what is given. */
export function rowOf(email: string | null, given: Partial<InviteRowText> = {}): InviteRowText {
  return {
    email,
    displayName: null,
    apps: [],
    groups: [],
    landingApp: null,
    redirectUrl: null,
    message: null,
    language: null,
    cc: [],
    sendMail: null,
    expiresInDays: null,
    ...given,
  };
}

/** A request with nothing but what is given. */
export function request(tenantId: string, given: Partial<NewBulkInvite>): NewBulkInvite {
  return {
    tenantId,
    rows: null,
    csv: null,
    fileName: null,
    defaults: {
      apps: [],
      groups: [],
      landingApp: null,
      redirectUrl: null,
      message: null,
      language: null,
      sendMail: true,
      expiresInDays: null,
      inviterName: null,
    },
    errorPolicy: 'IGNORE_FAILED',
    dryRun: false,
    idempotencyKey: null,
    ...given,
  };
}
