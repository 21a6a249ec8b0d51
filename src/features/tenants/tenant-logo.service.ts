/**
 * Logos: fetched once by a job when branding names a new one, kept, and served from our own origin. PNG, JPEG and WebP of
 * at most 256 KB; never SVG, which can carry scripts. What the bytes are is told by the bytes, not by who sent them.
 */
import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { addJob } from '../../database/add-job.js';
import type { Db, Tx } from '../../database/transaction.js';
import { OutboundError } from '../../outbound/outbound-error.js';
import type { RequestContext } from '../../request/request-context.js';

export const FETCH_LOGO_TASK = 'fetch_tenant_logo';
export const MAX_LOGO_BYTES = 256 * 1024;

export interface Logo {
  contentType: string;
  image: Buffer;
  hash: string;
}

export interface LogoToFetch {
  tenantId: string;
  logoUrl: string;
}

export const NO_LOGO = 'the logo is no PNG, JPEG or WebP of at most 256 KB and is not used';

export type Fetch = (url: string) => Promise<Response>;

/** First bytes of each format (PNG: RFC 2083 section 3.1; JPEG: ITU T.81 B.2.1; WebP: RFC 9649 section 2.4). */
const formats: { contentType: string; matches(image: Buffer): boolean }[] = [
  { contentType: 'image/png', matches: (image) => image.subarray(0, 8).equals(Buffer.from('89504e470d0a1a0a', 'hex')) },
  { contentType: 'image/jpeg', matches: (image) => image.subarray(0, 3).equals(Buffer.from('ffd8ff', 'hex')) },
  {
    contentType: 'image/webp',
    matches: (image) => image.toString('latin1', 0, 4) === 'RIFF' && image.toString('latin1', 8, 12) === 'WEBP',
  },
];

/** In the transaction that changes the branding. */
export async function queueLogo(tx: Tx, tenantId: string, logoUrl: string | null): Promise<void> {
  await sql`delete from tenant_logo where tenant_id = ${tenantId} and source_url is distinct from ${logoUrl}`.execute(
    tx.db,
  );
  if (logoUrl) await addJob(tx, FETCH_LOGO_TASK, { tenantId, logoUrl }, { jobKey: `logo/${tenantId}`, maxAttempts: 8 });
}

/** A logo that cannot be had leaves the tenant without one; mails and pages then show its name. */
export async function fetchLogo(ctx: RequestContext, fetch: Fetch, { tenantId, logoUrl }: LogoToFetch): Promise<void> {
  const logo = await pictureAt(ctx, fetch, logoUrl);
  if (!logo) {
    ctx.log.warn({ tenant: tenantId }, NO_LOGO);
    return;
  }
  await ctx.transaction(tenantId, async ({ db }) => {
    await sql`
      insert into tenant_logo (tenant_id, source_url, content_type, image, hash, fetched_at)
      select id, ${logoUrl}, ${logo.contentType}, ${logo.image}, ${logo.hash}, ${ctx.clock.now()} from tenant
      where id = ${tenantId} and logo_url = ${logoUrl}
      on conflict (tenant_id) do update set source_url = excluded.source_url, content_type = excluded.content_type,
        image = excluded.image, hash = excluded.hash, fetched_at = excluded.fetched_at`.execute(db);
  });
}

/** Null: there is none that we accept. @throws OutboundError while another attempt may succeed. */
export async function pictureAt(ctx: RequestContext, fetch: Fetch, url: string): Promise<Logo | null> {
  const image = await download(ctx, fetch, url);
  const format = image && formats.find(({ matches }) => matches(image));
  if (!format) return null;
  const hash = createHash('sha256').update(image).digest('hex').slice(0, 32);
  return { contentType: format.contentType, image, hash };
}

/** Null: not to be had, now or ever. @throws OutboundError while another attempt may succeed. */
async function download(ctx: RequestContext, fetch: Fetch, logoUrl: string): Promise<Buffer | null> {
  try {
    const response = await fetch(logoUrl);
    return response.ok ? Buffer.from(await response.arrayBuffer()) : null;
  } catch (error) {
    if (!(error instanceof OutboundError)) throw error;
    ctx.log.warn({ reason: error.reason }, 'the logo could not be fetched');
    if (error.reason === 'TIMED_OUT' || error.reason === 'UNREACHABLE') throw error;
    return null;
  }
}

export async function loadLogo(db: Db, tenantId: string): Promise<Logo | null> {
  const { rows } = await sql<Logo>`
    select content_type as "contentType", image, hash from tenant_logo where tenant_id = ${tenantId}`.execute(db);
  return rows[0] ?? null;
}

/** By what a page's address says. */
export async function findLogo(db: Db, tenantSlug: string, hash: string): Promise<Logo | null> {
  const { rows } = await sql<Logo>`
    select l.content_type as "contentType", l.image, l.hash from tenant_logo l join tenant t on t.id = l.tenant_id
    where t.slug = ${tenantSlug} and l.hash = ${hash}`.execute(db);
  return rows[0] ?? null;
}
