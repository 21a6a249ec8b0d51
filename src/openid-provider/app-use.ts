/** Notes when a guest opened an app. Nobody waits for it, and a failure costs nothing but the note. */
import { sql } from 'kysely';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { HOUR, later } from '../kernel/clock.js';
import { describeFault } from '../kernel/fault.js';
import type { RequestContext } from '../request/request-context.js';

/** How exact it is: an app in steady use costs one write an hour. */
const EVERY = HOUR;

export function noteUse(ctx: RequestContext, { oidc }: KoaContextWithOIDC): void {
  const [appId, userId] = [oidc.client?.clientId, oidc.session?.accountId];
  if (appId === undefined || userId === undefined) return;
  writeUse(ctx, appId, userId).catch((error) =>
    ctx.log.warn({ error: describeFault(error) }, 'the use of an app was not noted'),
  );
}

async function writeUse(ctx: RequestContext, appId: string, userId: string): Promise<void> {
  const now = ctx.clock.now();
  await ctx.oneStatement(ctx.scope, ({ db }) =>
    sql`
      insert into app_use as known (app_id, external_user_id, tenant_id, last_used_at)
      values (${appId}, ${userId}, ${ctx.scope}, ${now})
      on conflict (app_id, external_user_id) do update set last_used_at = ${now}
      where known.last_used_at <= ${later(now, -EVERY)}`.execute(db),
  );
}
