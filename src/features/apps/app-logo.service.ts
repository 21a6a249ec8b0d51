/** Logos of apps: fetched once by a job when an app names a new one, and kept; what is taken, and how, is as for tenants. */
import { sql } from 'kysely';
import { addJob } from '../../database/add-job.js';
import type { Db, Tx } from '../../database/transaction.js';
import type { RequestContext } from '../../request/request-context.js';
import { type Fetch, type Logo, NO_LOGO, pictureAt } from '../tenants/tenant-logo.service.js';

export const FETCH_APP_LOGO_TASK = 'fetch_app_logo';

export interface AppLogoToFetch {
  tenantId: string;
  appId: string;
  logoUrl: string;
}

/** In the transaction that changes the app. */
export async function queueAppLogo(
  tx: Tx,
  { tenantId, appId, logoUrl }: Omit<AppLogoToFetch, 'logoUrl'> & { logoUrl: string | null },
): Promise<void> {
  await sql`
    delete from app_logo
    where tenant_id = ${tenantId} and app_id = ${appId} and source_url is distinct from ${logoUrl}`.execute(tx.db);
  if (logoUrl === null) return;
  const options = { jobKey: `app-logo/${appId}`, maxAttempts: 8 };
  await addJob(tx, FETCH_APP_LOGO_TASK, { tenantId, appId, logoUrl }, options);
}

/** A logo that cannot be had leaves the app without one; pages then show its name alone. */
export async function fetchAppLogo(ctx: RequestContext, fetch: Fetch, wanted: AppLogoToFetch): Promise<void> {
  const { tenantId, appId, logoUrl } = wanted;
  const logo = await pictureAt(ctx, fetch, logoUrl);
  if (!logo) {
    ctx.log.warn({ tenant: tenantId, app: appId }, NO_LOGO);
    return;
  }
  await ctx.transaction(tenantId, async ({ db }) => {
    await sql`
      insert into app_logo (app_id, tenant_id, source_url, content_type, image, hash, fetched_at)
      select id, tenant_id, ${logoUrl}, ${logo.contentType}, ${logo.image}, ${logo.hash}, ${ctx.clock.now()} from app
      where tenant_id = ${tenantId} and id = ${appId} and logo_url = ${logoUrl}
      on conflict (app_id) do update set source_url = excluded.source_url, content_type = excluded.content_type,
        image = excluded.image, hash = excluded.hash, fetched_at = excluded.fetched_at`.execute(db);
  });
}

/** By what a page's address says. */
export async function findAppLogo(db: Db, tenantSlug: string, appId: string, hash: string): Promise<Logo | null> {
  const { rows } = await sql<Logo>`
    select l.content_type as "contentType", l.image, l.hash from app_logo l join tenant t on t.id = l.tenant_id
    where t.slug = ${tenantSlug} and l.app_id = ${appId} and l.hash = ${hash}`.execute(db);
  return rows[0] ?? null;
}
