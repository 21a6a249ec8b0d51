/** The mail with the code that proves the address of whoever wants no more invitations, and what is kept no longer than needed. */
import { sql } from 'kysely';
import type { Db } from '../../database/transaction.js';
import { MINUTE } from '../../kernel/clock.js';
import type { PasscodeMail } from '../../kernel/mail-message.js';
import type { RequestContext } from '../../request/request-context.js';
import { loadLogo } from '../tenants/tenant-logo.service.js';
import { loadRecipient } from './unsubscribe.queries.js';
import { sealContext } from './unsubscriptions.service.js';

/** Null: there is nothing to send any more. */
export async function loadUnsubscribeMail(ctx: RequestContext, flowId: string): Promise<PasscodeMail | null> {
  const now = ctx.clock.now();
  const { rows } = await sql<{ invitationId: string; sealedCode: Buffer; expiresAt: Date }>`
    select invitation_id as "invitationId", sealed_code as "sealedCode", expires_at as "expiresAt" from unsubscribe_flow
    where id = ${flowId} and sealed_code is not null and expires_at > ${now}`.execute(ctx.db);
  const recipient = rows[0] && (await loadRecipient(ctx.db, rows[0].invitationId));
  if (!rows[0] || !recipient) return null;
  const { tenantId, tenantName, accentColor, supportEmail, privacyStatementUrl, language, email } = recipient;
  const { sealedCode, expiresAt } = rows[0];
  const logo = await loadLogo(ctx.db, tenantId);
  return {
    template: 'passcode',
    tenantId,
    language,
    to: { name: null, address: email },
    replyTo: supportEmail,
    messageKey: flowId,
    brand: { tenantName, logo, accentColor, supportEmail, privacyStatementUrl },
    passcode: ctx.secrets.open(sealedCode, sealContext(flowId)),
    validForMinutes: Math.max(1, Math.floor((expiresAt.getTime() - now.getTime()) / MINUTE)),
  };
}

/** Also once it will never be sent: the code is not kept. */
export async function markUnsubscribeMailSent(ctx: RequestContext, flowId: string): Promise<void> {
  await ctx.oneStatement(null, ({ db }) =>
    sql`update unsubscribe_flow set sealed_code = null where id = ${flowId}`.execute(db),
  );
}

export async function deleteOldUnsubscribeFlows(db: Db, now: Date): Promise<void> {
  await sql`delete from unsubscribe_flow where expires_at <= ${now}`.execute(db);
}
