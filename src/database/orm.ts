/**
 * MikroORM's set-up: entities, migrations, the tenant filter. Decorator metadata is off, so every column type is written
 * out. Owns nothing but the connection; who opens a transaction is `transaction.ts`.
 */
import type { EntityClass } from '@mikro-orm/core';
import { ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';
import { Migrator } from '@mikro-orm/migrations';
import { defineConfig, MikroORM, type Options } from '@mikro-orm/postgresql';
import pg from 'pg';
import type { Log } from '../kernel/log.js';
import { dropDeadConnections } from './dead-connections.js';
import { migrations } from './migrations/index.js';
import { PreparedStatements } from './prepared-statements.js';

export interface OrmOptions {
  url: string;
  poolSize: number;
  entities: EntityClass<object>[];
  log: Log;
  /** Told of the pool, whose use is measured. */
  onPool?: (pool: pg.Pool) => void;
}

/**
 * Every statement of ours goes by an index. A prepared statement's plan is kept until the table's statistics change, also one
 * made while a table had a single page and reading it whole looked cheapest; it would still be read whole thousands of rows
 * later. So reading whole counts only where there is no index, and index reads carry no penalty of spinning disks. One plan
 * serves all values: planning the largest statements anew for each call took longer than running them. JIT compiles for
 * statements that run for seconds; ours run for less than it takes.
 */
const PLANNER_OPTIONS =
  '-c enable_seqscan=off -c random_page_cost=1.1 -c plan_cache_mode=force_generic_plan -c jit=off';

/** Longest a transaction may sit idle: an open write transaction holds back every tenant's feed. */
const IDLE_IN_TRANSACTION_TIMEOUT_MILLISECONDS = 10_000;
const CONNECT_TIMEOUT_MILLISECONDS = 5_000;

export function ormConfig({ url, poolSize, entities, log, onPool }: OrmOptions): Options {
  return defineConfig({
    clientUrl: url,
    entities,
    extensions: [Migrator],
    metadataProvider: ReflectMetadataProvider,
    metadataCache: { enabled: false },
    pool: { min: 0, max: poolSize },
    driverOptions: {
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MILLISECONDS,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MILLISECONDS,
      application_name: 'vestibule',
      options: PLANNER_OPTIONS,
      types: timesAsDates(),
      onPoolCreated: (pool: pg.Pool) => {
        dropDeadConnections(pool);
        new PreparedStatements().use(pool);
        onPool?.(pool);
      },
    },
    filters: {
      tenant: {
        cond: (args: { tenantId: string | null }) => ({ tenantId: args.tenantId }),
        entity: tenantScoped(entities),
      },
    },
    forceUtcTimezone: true,
    schemaGenerator: { ignoreSchema: ['graphile_worker'] },
    migrations: {
      migrationsList: migrations,
      tableName: 'schema_migration',
      snapshotOnMigrate: false,
      allOrNothing: true,
      transactional: true,
    },
    logger: (message) => log.debug({}, message),
    debug: false,
    colors: false,
  });
}

/** MikroORM asks the driver for times as text; plain rows need Dates, and its own hydration takes them as well. */
function timesAsDates(): pg.TypeOverrides {
  const types = new pg.TypeOverrides();
  for (const oid of [pg.types.builtins.TIMESTAMPTZ, pg.types.builtins.TIMESTAMP]) {
    types.setTypeParser(oid, pg.types.getTypeParser(oid));
  }
  return types;
}

/** Fails closed: a tenant-scoped entity cannot be loaded by an EntityManager that was told no tenant. */
function tenantScoped(entities: EntityClass<object>[]): string[] {
  const unscoped = new Set(['Tenant', 'ApiKey', 'GatewayProcess', 'IdempotencyRecord']);
  return entities.map((entity) => entity.name).filter((name) => !unscoped.has(name));
}

export async function openOrm(options: OrmOptions): Promise<MikroORM> {
  return MikroORM.init(ormConfig(options));
}
