/** A refresh token used twice: somebody has a copy. The library has ended the family; the tenant is told. */
import { sql } from 'kysely';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { recordEvents } from '../events/record-events.js';
import { describeFault } from '../kernel/fault.js';
import type { RequestContext } from '../request/request-context.js';

/** Nobody waits for it, and a failure costs nothing but the note. */
export function noteReuse(ctx: RequestContext, { oidc }: KoaContextWithOIDC): void {
  const token = oidc.entities.RefreshToken;
  if (!token?.consumed || !token.accountId) return;
  const detail = `A refresh token of the app ${token.clientId} was used twice; what came of it has ended.`;
  record(ctx, token.accountId, detail).catch((error) =>
    ctx.log.warn({ error: describeFault(error) }, 'the reuse of a refresh token was not recorded'),
  );
}

async function record(ctx: RequestContext, externalUserId: string, detail: string): Promise<void> {
  await ctx.transaction(ctx.scope, async (tx) => {
    const { rows } = await sql<{ id: string }>`
      select id from invitation
      where tenant_id = ${tx.tenantId} and external_user_id = ${externalUserId} and status = 'REDEEMED'
      order by redeemed_at desc limit 1 for no key update`.execute(tx.db);
    const [invitation] = rows;
    if (!invitation) return;
    const actor = { kind: 'SYSTEM', displayName: 'OpenID Provider' } as const;
    await recordEvents(tx, [{ type: 'TOKEN_REUSED', at: ctx.clock.now(), actor, invitationId: invitation.id, detail }]);
  });
}
