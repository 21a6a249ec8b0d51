/** Flows as plain rows, found by what opens them. */
import { sql } from 'kysely';
import type { Db } from '../../database/transaction.js';
import { isIdOf } from '../../kernel/ids.js';
import { hashToken } from '../../kernel/secrets.js';
import type { FlowPurpose, GuestFlow } from './flow.entity.js';

/** A flow's id in the browser that started it. */
export interface BrowserKey {
  flowId: string;
  browserToken: string;
}

/** What opens a flow: its id in the browser that started it, or the handle answered over GraphQL. */
export type FlowKey = BrowserKey | { handle: string };

export interface ProvingFlow
  extends Pick<
    GuestFlow,
    | 'id'
    | 'tenantId'
    | 'purpose'
    | 'invitationId'
    | 'linkVersion'
    | 'email'
    | 'emailKey'
    | 'language'
    | 'externalUserId'
    | 'sessionId'
    | 'returnTo'
    | 'status'
    | 'provenAt'
    | 'proofKind'
    | 'proofProviderId'
    | 'proofIssuer'
    | 'proofSubject'
    | 'proofDisplayName'
    | 'proofEmailKey'
    | 'unaddressedIdentity'
    | 'amr'
    | 'secondFactorAt'
    | 'sessionOpenedAt'
    | 'mismatchedEmail'
    | 'createdAt'
    | 'expiresAt'
  > {
  /** A code was sent that can still be entered. */
  hasPasscode: boolean;
}

/** In the order of the keys. Undefined: there is none of these purposes, it is over, or it belongs to another browser. */
export async function findFlows(
  db: Db,
  purposes: readonly FlowPurpose[],
  keys: readonly FlowKey[],
  now: Date,
): Promise<(ProvingFlow | undefined)[]> {
  const handles = keys.flatMap((key) => ('handle' in key ? [hashToken(key.handle)] : []));
  const ids = keys.flatMap((key) => ('flowId' in key && isIdOf('RedemptionFlow', key.flowId) ? [key.flowId] : []));
  const { rows } = await sql<ProvingFlow & { handleHash: Buffer | null; browserHash: Buffer | null }>`
    select ${flowColumns(now)}, f.handle_hash as "handleHash", f.browser_hash as "browserHash"
    from redemption_flow f
    where (f.handle_hash = any(${handles}) or f.id = any(${ids})) and f.purpose = any(${purposes})
      and f.expires_at > ${now}`.execute(db);
  const opened = new Map(
    rows.map(({ handleHash, browserHash, ...flow }) => [lockOf(flow.id, handleHash, browserHash), flow]),
  );
  return keys.map((key) =>
    opened.get(
      'handle' in key ? lockOf('', hashToken(key.handle), null) : lockOf(key.flowId, null, hashToken(key.browserToken)),
    ),
  );
}

/** What a key must fit, as text. */
function lockOf(flowId: string, handleHash: Buffer | null, browserHash: Buffer | null): string {
  return handleHash ? handleHash.toString('base64') : `${flowId} ${browserHash?.toString('base64')}`;
}

function flowColumns(now: Date) {
  return sql`
    f.id, f.tenant_id as "tenantId", f.purpose, f.invitation_id as "invitationId", f.link_version as "linkVersion",
    f.email, f.email_key as "emailKey", f.language, f.external_user_id as "externalUserId", f.session_id as "sessionId",
    f.return_to as "returnTo", f.status, f.proven_at as "provenAt", f.proof_kind as "proofKind",
    f.proof_provider_id as "proofProviderId", f.proof_issuer as "proofIssuer", f.proof_subject as "proofSubject",
    f.proof_display_name as "proofDisplayName", f.proof_email_key as "proofEmailKey",
    f.unaddressed_identity as "unaddressedIdentity", f.amr, f.second_factor_at as "secondFactorAt",
    f.session_opened_at as "sessionOpenedAt", f.mismatched_email as "mismatchedEmail", f.created_at as "createdAt",
    f.expires_at as "expiresAt",
    exists (select from passcode p where p.flow_id = f.id and p.expires_at > ${now} and p.used_at is null) as "hasPasscode"`;
}
