/** The salt of a tenant, made when it is first asked for. */
import { createHmac } from 'node:crypto';
import { sql } from 'kysely';
import { randomToken } from '../kernel/secrets.js';
import type { RequestContext } from '../request/request-context.js';

export async function saltOf(ctx: RequestContext, tenantId: string): Promise<string> {
  const known = await readSalt(ctx, tenantId);
  if (known !== null) return known;
  await ctx.oneStatement(tenantId, async ({ db }) => {
    await sql`
      insert into tenant_salt (tenant_id, sealed_salt, created_at)
      values (${tenantId}, ${ctx.secrets.seal(randomToken(), sealContext(tenantId))}, ${ctx.clock.now()})
      on conflict (tenant_id) do nothing`.execute(db);
  });
  return (await readSalt(ctx, tenantId)) as string;
}

/** A name for somebody or something that tells nothing else, and stays: HMAC-SHA256, base64url. */
export function opaqueName(salt: string, ...parts: string[]): string {
  return createHmac('sha256', salt).update(JSON.stringify(parts)).digest('base64url');
}

async function readSalt(ctx: RequestContext, tenantId: string): Promise<string | null> {
  const { rows } = await sql<{ sealed: Buffer }>`
    select sealed_salt as sealed from tenant_salt where tenant_id = ${tenantId}`.execute(ctx.db);
  return rows[0] ? ctx.secrets.open(rows[0].sealed, sealContext(tenantId)) : null;
}

const sealContext = (tenantId: string) => `tenant_salt:${tenantId}`;
