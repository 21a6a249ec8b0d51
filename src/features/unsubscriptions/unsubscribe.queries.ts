/** Reads around unsubscribing: whose mail it was, where a flow stands, and the tenant's list. */
import { type RawBuilder, sql } from 'kysely';
import type { Row } from '../../database/table.js';
import type { Db } from '../../database/transaction.js';
import { isIdOf } from '../../kernel/ids.js';
import type { Language } from '../../kernel/languages.js';
import { hashToken } from '../../kernel/secrets.js';
import { type ListSource, newestFirst } from '../../request/connection.js';
import type { RequestContext } from '../../request/request-context.js';
import { UnsubscribedRecipient } from './unsubscribed-recipient.entity.js';

/** Who was invited by whom, as pages and mails show it. */
export interface Recipient {
  invitationId: string;
  tenantId: string;
  email: string;
  emailKey: string;
  language: Language;
  tenantName: string;
  logoPath: string | null;
  accentColor: string;
  supportEmail: string | null;
  privacyStatementUrl: string | null;
}

export interface UnsubscribeKey {
  flowId: string;
  browserToken: string;
}

export interface UnsubscribeView {
  flowId: string;
  recipient: Recipient;
  isProven: boolean;
  isUnsubscribed: boolean;
}

const recipientColumns: RawBuilder<unknown> = sql`
  i.id as "invitationId", i.tenant_id as "tenantId", i.email, i.email_key as "emailKey", i.language,
  t.display_name as "tenantName", '/t/' || t.slug || '/logo/' || l.hash as "logoPath", t.accent_color as "accentColor",
  t.support_email as "supportEmail", t.privacy_statement_url as "privacyStatementUrl"`;

const recipientTables: RawBuilder<unknown> = sql`
  invitation i join tenant t on t.id = i.tenant_id left join tenant_logo l on l.tenant_id = t.id`;

export async function loadRecipient(db: Db, invitationId: string): Promise<Recipient | null> {
  const { rows } = await sql<Recipient>`
    select ${recipientColumns} from ${recipientTables} where i.id = ${invitationId}`.execute(db);
  return rows[0] ?? null;
}

export async function findUnsubscribeFlow(
  db: Db,
  { flowId, browserToken }: UnsubscribeKey,
  now: Date,
): Promise<UnsubscribeView | null> {
  if (!isIdOf('UnsubscribeFlow', flowId)) return null;
  const { rows } = await sql<Recipient & { isProven: boolean; isUnsubscribed: boolean }>`
    select ${recipientColumns}, f.proven_at is not null as "isProven", r.email_key is not null as "isUnsubscribed"
    from ${recipientTables}
    join unsubscribe_flow f on f.invitation_id = i.id
    left join unsubscribed_recipient r on r.tenant_id = i.tenant_id and r.email_key = i.email_key
    where f.id = ${flowId} and f.browser_hash = ${hashToken(browserToken)} and f.expires_at > ${now}`.execute(db);
  const [row] = rows;
  if (!row) return null;
  const { isProven, isUnsubscribed, ...recipient } = row;
  return { flowId, recipient, isProven, isUnsubscribed };
}

/** The latest first. */
export function unsubscribedRecipientsOfTenant(ctx: RequestContext): ListSource {
  return {
    name: 'unsubscribedRecipients',
    columns: ctx.tables.columns(UnsubscribedRecipient, 'r'),
    from: sql`from unsubscribed_recipient r where r.tenant_id = parent.id`,
    id: sql`r.email_key`,
    order: newestFirst(sql`r.unsubscribed_at`),
  };
}

export type UnsubscribedRecipientRow = Row<UnsubscribedRecipient>;
