/**
 * The keys of each tenant's issuer: made on first use, sealed at rest, replaced by a job. A key is published before it signs
 * and stays published after its successor took over, so that apps that remember the key set never meet an unknown key.
 * Who signs with them is the protocol library (`issuers.ts`).
 */
import { generateKeyPair, type JsonWebKey } from 'node:crypto';
import { promisify } from 'node:util';
import type { JWK } from 'jose';
import { sql } from 'kysely';
import type { Tx } from '../database/transaction.js';
import type { SigningAlgorithm } from '../features/apps/app.entity.js';
import { ringIssuerChanged } from '../features/apps/issuer-channel.js';
import { DAY, later } from '../kernel/clock.js';
import { newId } from '../kernel/ids.js';
import type { RequestContext } from '../request/request-context.js';

/** How long a key signs. */
const SIGNING_TIME = 90 * DAY;
/** Published so long before it signs; apps read the key set again within a day. */
const NOTICE = 2 * DAY;
/** Published so long after its successor took over: longer than any token it signed, and for `id_token_hint` at sign-out. */
const AFTERLIFE = 30 * DAY;

/** A private key as RFC 7517 writes it. */
export type Jwk = JsonWebKey & { kid: string; alg: string; use: 'sig' };

export interface KeySet {
  /** Of each algorithm the one that signs comes first. */
  keys: Jwk[];
  /** When another key begins to sign; null: not foreseen. */
  changesAt: Date | null;
}

interface KeyRow {
  id: string;
  algorithm: SigningAlgorithm;
  sealed: Buffer;
  activeFrom: Date;
}

const joseNames = { ES256: 'ES256', RS256: 'RS256', EDDSA: 'EdDSA' } as const;

export function joseName(algorithm: SigningAlgorithm): (typeof joseNames)[SigningAlgorithm] {
  return joseNames[algorithm];
}

/** With at least one key per algorithm; of several callers at once one makes it. */
export async function loadKeys(
  ctx: RequestContext,
  tenantId: string,
  algorithms: readonly SigningAlgorithm[],
): Promise<KeySet> {
  const rows = await readKeys(ctx, tenantId);
  const missing = algorithms.filter((algorithm) => !rows.some((row) => row.algorithm === algorithm));
  for (const algorithm of missing) await makeFirstKey(ctx, tenantId, algorithm);
  return keySetOf(ctx, missing.length > 0 ? await readKeys(ctx, tenantId) : rows);
}

/** For the job: publishes successors in time and deletes keys that nobody needs any more. */
export async function rotateKeys(ctx: RequestContext): Promise<void> {
  const now = ctx.clock.now();
  const { rows } = await sql<{ tenantId: string; algorithm: SigningAlgorithm; activeFrom: Date }>`
    select tenant_id as "tenantId", algorithm, max(active_from) as "activeFrom" from signing_key
    group by tenant_id, algorithm having max(active_from) < ${later(now, NOTICE - SIGNING_TIME)}`.execute(ctx.db);
  for (const due of rows) await makeSuccessor(ctx, due);
  await deleteOldKeys(ctx);
}

/** The order tells the library which key signs: the youngest active one; those that wait come last. */
function keySetOf(ctx: RequestContext, rows: KeyRow[]): KeySet {
  const now = ctx.clock.now();
  const active = rows.filter((row) => row.activeFrom <= now).sort((a, b) => +b.activeFrom - +a.activeFrom);
  const waiting = rows.filter((row) => row.activeFrom > now).sort((a, b) => +a.activeFrom - +b.activeFrom);
  return {
    keys: [...active, ...waiting].map((row) => openKey(ctx, row)),
    changesAt: waiting[0]?.activeFrom ?? null,
  };
}

function openKey(ctx: RequestContext, { id, algorithm, sealed }: KeyRow): Jwk {
  const jwk = JSON.parse(ctx.secrets.open(sealed, sealContext(id))) as JsonWebKey;
  return { ...jwk, kid: id, alg: joseName(algorithm), use: 'sig' };
}

export function publicPart({ kty, crv, x, y, e, n, kid, alg, use }: Jwk): JWK {
  return JSON.parse(JSON.stringify({ kty, crv, x, y, e, n, kid, alg, use })) as JWK;
}

async function readKeys(ctx: RequestContext, tenantId: string): Promise<KeyRow[]> {
  const { rows } = await sql<KeyRow>`
    select id, algorithm, sealed_private_jwk as sealed, active_from as "activeFrom" from signing_key
    where tenant_id = ${tenantId}`.execute(ctx.db);
  return rows;
}

async function makeFirstKey(ctx: RequestContext, tenantId: string, algorithm: SigningAlgorithm): Promise<void> {
  const key = await generateKey(algorithm);
  await ctx.transaction(tenantId, async (tx) => {
    await lockKeys(tx);
    const { rows } = await sql`
      select from signing_key where tenant_id = ${tenantId} and algorithm = ${algorithm}`.execute(tx.db);
    if (rows.length === 0) await insertKey(ctx, tx, algorithm, key, ctx.clock.now());
  });
}

interface DueKey {
  tenantId: string;
  algorithm: SigningAlgorithm;
  activeFrom: Date;
}

async function makeSuccessor(ctx: RequestContext, { tenantId, algorithm, activeFrom }: DueKey): Promise<void> {
  const key = await generateKey(algorithm);
  await ctx.transaction(tenantId, async (tx) => {
    await lockKeys(tx);
    const { rows } = await sql`
      select from signing_key
      where tenant_id = ${tenantId} and algorithm = ${algorithm} and active_from > ${activeFrom}`.execute(tx.db);
    if (rows.length > 0) return;
    await insertKey(ctx, tx, algorithm, key, later(ctx.clock.now(), NOTICE));
    await ringIssuerChanged(tx, tenantId);
  });
}

/** Of one tenant at a time. */
async function lockKeys(tx: Tx): Promise<void> {
  await sql`select from tenant where id = ${tx.tenantId} for no key update`.execute(tx.db);
}

async function insertKey(
  ctx: RequestContext,
  tx: Tx,
  algorithm: SigningAlgorithm,
  key: { publicJwk: JsonWebKey; privateJwk: JsonWebKey },
  activeFrom: Date,
): Promise<void> {
  const id = newId('SigningKey');
  const sealed = ctx.secrets.seal(JSON.stringify(key.privateJwk), sealContext(id));
  await sql`
    insert into signing_key (id, tenant_id, algorithm, public_jwk, sealed_private_jwk, created_at, active_from)
    values (${id}, ${tx.tenantId}, ${algorithm}, ${JSON.stringify(key.publicJwk)}::jsonb, ${sealed}, ${ctx.clock.now()},
      ${activeFrom})`.execute(tx.db);
}

async function deleteOldKeys(ctx: RequestContext): Promise<void> {
  await ctx.transaction(null, async (tx) => {
    const { rows } = await sql<{ tenantId: string }>`
      delete from signing_key k where exists (
        select from signing_key successor
        where successor.tenant_id = k.tenant_id and successor.algorithm = k.algorithm
          and successor.active_from > k.active_from and successor.active_from < ${later(ctx.clock.now(), -AFTERLIFE)})
      returning k.tenant_id as "tenantId"`.execute(tx.db);
    for (const tenantId of new Set(rows.map((row) => row.tenantId))) await ringIssuerChanged(tx, tenantId);
  });
}

const generate = promisify(generateKeyPair);
/** Bits; NIST SP 800-57 part 1, table 4, good to 2030. */
const RSA_MODULUS = 2048;

async function generateKey(algorithm: SigningAlgorithm): Promise<{ publicJwk: JsonWebKey; privateJwk: JsonWebKey }> {
  const { publicKey, privateKey } = await generatePair(algorithm);
  return { publicJwk: publicKey.export({ format: 'jwk' }), privateJwk: privateKey.export({ format: 'jwk' }) };
}

function generatePair(algorithm: SigningAlgorithm) {
  switch (algorithm) {
    case 'ES256':
      return generate('ec', { namedCurve: 'P-256' });
    case 'RS256':
      return generate('rsa', { modulusLength: RSA_MODULUS });
    case 'EDDSA':
      return generate('ed25519', {});
  }
}

const sealContext = (keyId: string) => `signing_key:${keyId}`;
