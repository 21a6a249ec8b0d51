/**
 * "No more invitations of this organisation": said by the owner of an address, who proves it by a code sent there, or had
 * proven it on the way through an invitation; taken back in the same way. Whether the invitation behind the link is still
 * open does not matter. What it holds back is `invitations`; it changes nothing of what was sent before.
 */
import { randomInt } from 'node:crypto';
import { sql } from 'kysely';
import { addJob, jobPriority } from '../../database/add-job.js';
import type { Tx } from '../../database/transaction.js';
import { DAY, later, MINUTE } from '../../kernel/clock.js';
import { refuse, type UserError } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import { hashToken } from '../../kernel/secrets.js';
import type { RateLimit, RateLimits } from '../../request/rate-limits.js';
import type { RequestContext } from '../../request/request-context.js';
import type { MailLimits } from '../invitations/mail-limits.service.js';
import { invitationOfUnsubscribeLink } from '../invitations/unsubscribe-link.service.js';
import {
  findUnsubscribeFlow,
  loadRecipient,
  type Recipient,
  type UnsubscribeKey,
  type UnsubscribeView,
} from './unsubscribe.queries.js';

export const UNSUBSCRIBE_MAIL_TASK = 'send_unsubscribe_passcode';

const FLOW_LIFETIME = 30 * MINUTE;
const TRIES = 5;
const MAIL_ATTEMPTS = 6;
/** Over all flows, right ones too: guessing cannot go on by starting new ones. */
const triesOfAddress: RateLimit = { name: 'unsubscribe', most: 25, window: DAY };

export class UnsubscriptionsService {
  readonly #mailLimits: MailLimits;
  readonly #limits: RateLimits;

  constructor(mailLimits: MailLimits, limits: RateLimits) {
    this.#mailLimits = mailLimits;
    this.#limits = limits;
  }

  /** Whose mail a link was in; reads only. Null: no link of ours. */
  recipient(ctx: RequestContext, token: string): Promise<Recipient | null> {
    const invitationId = invitationOfUnsubscribeLink(ctx.secrets, token);
    return invitationId ? loadRecipient(ctx.db, invitationId) : Promise.resolve(null);
  }

  /**
   * Sends a code to the address.
   * @returns the flow's id.
   * @throws UserError INVITATION_NOT_FOUND, RATE_LIMITED, QUOTA_EXCEEDED.
   */
  async start(ctx: RequestContext, token: string, browserToken: string): Promise<string> {
    await this.#limits.admit(ctx);
    const recipient = await this.recipient(ctx, token);
    if (!recipient) throw refuse('INVITATION_NOT_FOUND');
    return ctx.transaction(recipient.tenantId, async (tx) => {
      await this.#mailLimits.admit(ctx, tx, recipient.emailKey);
      const flowId = newId('UnsubscribeFlow');
      const code = String(randomInt(100_000_000)).padStart(8, '0');
      await insertFlow(ctx, tx, { flowId, recipient, browserToken, code, provenAt: null });
      await addJob(
        tx,
        UNSUBSCRIBE_MAIL_TASK,
        { flowId },
        { priority: jobPriority.passcode, maxAttempts: MAIL_ATTEMPTS },
      );
      return flowId;
    });
  }

  /**
   * For whoever proved the address of this invitation a moment ago, by whatever it was proven.
   * @returns the flow's id.
   */
  async startProven(ctx: RequestContext, invitationId: string, browserToken: string): Promise<string> {
    const recipient = await loadRecipient(ctx.db, invitationId);
    if (!recipient) throw refuse('INVITATION_NOT_FOUND');
    const flowId = newId('UnsubscribeFlow');
    const provenAt = ctx.clock.now();
    await ctx.transaction(recipient.tenantId, (tx) =>
      insertFlow(ctx, tx, { flowId, recipient, browserToken, code: null, provenAt }),
    );
    return flowId;
  }

  /** @throws UserError INVITATION_NOT_FOUND: unknown, over, and another browser's are one and the same. */
  async flow(ctx: RequestContext, key: UnsubscribeKey): Promise<UnsubscribeView> {
    const view = await findUnsubscribeFlow(ctx.db, key, ctx.clock.now());
    if (!view) throw refuse('INVITATION_NOT_FOUND');
    return view;
  }

  /** The try is counted before the code is compared. @throws UserError PASSCODE_WRONG, TOO_MANY_ATTEMPTS, RATE_LIMITED. */
  async prove(ctx: RequestContext, key: UnsubscribeKey, passcode: string): Promise<void> {
    const { recipient, isProven } = await this.flow(ctx, key);
    if (isProven) return;
    await this.#limits.admit(ctx, { limit: triesOfAddress, of: `${recipient.tenantId}/${recipient.emailKey}` });
    const refusal = await ctx.transaction(recipient.tenantId, (tx) => tryCode(ctx, tx, key.flowId, passcode));
    if (refusal) throw refusal;
  }

  /** No more invitations. What is open stays open, and can still be accepted. @throws UserError PROOF_REQUIRED. */
  async unsubscribe(ctx: RequestContext, key: UnsubscribeKey): Promise<void> {
    const { tenantId, emailKey, email } = await this.#provenRecipient(ctx, key);
    await ctx.oneStatement(tenantId, ({ db }) =>
      sql`
        insert into unsubscribed_recipient (tenant_id, email_key, email, unsubscribed_at)
        values (${tenantId}, ${emailKey}, ${email}, ${ctx.clock.now()})
        on conflict (tenant_id, email_key) do nothing`.execute(db),
    );
  }

  /** They may invite again. @throws UserError PROOF_REQUIRED. */
  async resubscribe(ctx: RequestContext, key: UnsubscribeKey): Promise<void> {
    const { tenantId, emailKey } = await this.#provenRecipient(ctx, key);
    await ctx.oneStatement(tenantId, ({ db }) =>
      sql`delete from unsubscribed_recipient where tenant_id = ${tenantId} and email_key = ${emailKey}`.execute(db),
    );
  }

  /** As of a redemption's flows: who knew the old cookie before holds nothing now. */
  async renewBrowser(ctx: RequestContext, oldToken: string, newToken: string): Promise<void> {
    await ctx.oneStatement(null, ({ db }) =>
      sql`
        update unsubscribe_flow set browser_hash = ${hashToken(newToken)}
        where browser_hash = ${hashToken(oldToken)}`.execute(db),
    );
  }

  async #provenRecipient(ctx: RequestContext, key: UnsubscribeKey): Promise<Recipient> {
    const { recipient, isProven } = await this.flow(ctx, key);
    if (!isProven) throw refuse('PROOF_REQUIRED');
    return recipient;
  }
}

interface NewFlow {
  flowId: string;
  recipient: Recipient;
  browserToken: string;
  code: string | null;
  provenAt: Date | null;
}

async function insertFlow(
  { secrets, clock }: RequestContext,
  { db }: Tx,
  { flowId, recipient, browserToken, code, provenAt }: NewFlow,
): Promise<void> {
  await sql`
    insert into unsubscribe_flow
      (id, tenant_id, invitation_id, browser_hash, code_hash, sealed_code, tries, proven_at, expires_at)
    values (${flowId}, ${recipient.tenantId}, ${recipient.invitationId}, ${hashToken(browserToken)},
      ${code && secrets.sign('passcode', `${flowId}/${code}`)}, ${code && secrets.seal(code, sealContext(flowId))}, 0,
      ${provenAt}, ${later(clock.now(), FLOW_LIFETIME)})`.execute(db);
}

/** @returns why it proves nothing, as a value: thrown inside the transaction it would take the count back. */
async function tryCode(ctx: RequestContext, { db }: Tx, flowId: string, passcode: string): Promise<UserError | null> {
  const { rows } = await sql<{ codeHash: Buffer | null }>`
    update unsubscribe_flow set tries = tries + 1 where id = ${flowId} and tries < ${TRIES}
    returning code_hash as "codeHash"`.execute(db);
  if (!rows[0]) return refuse('TOO_MANY_ATTEMPTS');
  const { codeHash } = rows[0];
  const entered = passcode.normalize('NFKC').replace(/[\s-]/g, '');
  if (!codeHash || !ctx.secrets.verify('passcode', `${flowId}/${entered}`, codeHash)) return refuse('PASSCODE_WRONG');
  await sql`
    update unsubscribe_flow set proven_at = ${ctx.clock.now()}, code_hash = null where id = ${flowId}`.execute(db);
  return null;
}

export function sealContext(flowId: string): string {
  return `unsubscribe_flow:${flowId}`;
}
