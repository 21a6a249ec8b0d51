/**
 * Every job on one page: what its payload is and which use case it calls. Handlers are idempotent; a job that failed for
 * good says so itself, because nobody comes after the last attempt. Who adds jobs is `database/add-job.ts`.
 */
import type { JobHelpers, TaskList } from 'graphile-worker';
import { sql } from 'kysely';
import type { BulkInviteRun } from '../features/bulk-invites/bulk-invite-run.service.js';
import { RUN_BULK_INVITE_TASK } from '../features/bulk-invites/bulk-invites.service.js';
import {
  type LinkVersion,
  loadInvitationCopy,
  loadInvitationMail,
  markFailed,
  markSent,
} from '../features/invitations/delivery.service.js';
import { sweepExpiredInvitations } from '../features/invitations/expire.service.js';
import { INVITATION_COPY_TASK, INVITATION_MAIL_TASK } from '../features/invitations/invitation-mail-jobs.service.js';
import { forgetOldMailRequests } from '../features/invitations/mail-limits.service.js';
import { loadPasscodeMail, markPasscodeSent } from '../features/redemption/passcodes.service.js';
import { deleteOldFlows } from '../features/redemption/redemption.service.js';
import { FETCH_LOGO_TASK, fetchLogo, type LogoToFetch } from '../features/tenants/tenant-logo.service.js';
import { DAY, later } from '../kernel/clock.js';
import type { MailMessage } from '../kernel/mail-message.js';
import { PermanentMailError, TemporaryMailError } from '../mail/mail-errors.js';
import type { RequestContext } from '../request/request-context.js';
import { pruneEvents } from './prune-events.js';
import { requeueLostWork } from './requeue-lost-work.js';

export interface TaskParts {
  context(task: string): RequestContext;
  deliver(message: MailMessage): Promise<void>;
  bulkInvites: BulkInviteRun;
  fetchLogo(url: string): Promise<Response>;
  publicUrl: URL;
  eventRetentionDays: number;
  observeMail(outcome: 'sent' | 'failed' | 'postponed'): void;
}

type Handler = (ctx: RequestContext, payload: never, helpers: JobHelpers) => Promise<void>;

const IDEMPOTENCY_HOURS = 24;

export function createTasks(parts: TaskParts): TaskList {
  const { publicUrl } = parts;
  const handlers: Record<string, Handler> = {
    [INVITATION_MAIL_TASK]: async (ctx, link: LinkVersion, helpers) => {
      const message = await loadInvitationMail(ctx, link, publicUrl);
      if (!message) return;
      const failure = await attempt(parts, message, helpers);
      await (failure ? markFailed(ctx, link, failure) : markSent(ctx, link));
    },
    [INVITATION_COPY_TASK]: async (ctx, { copy, ...link }: LinkVersion & { copy: number }, helpers) => {
      const message = await loadInvitationCopy(ctx, link, copy);
      const failure = message && (await attempt(parts, message, helpers));
      if (failure)
        ctx.log.warn(
          { invitation: link.invitationId, copy, failure },
          'a copy of an invitation could not be delivered',
        );
    },
    send_passcode_mail: async (ctx, { passcodeId }: { passcodeId: string }, helpers) => {
      const message = await loadPasscodeMail(ctx, passcodeId);
      if (!message) return;
      const failure = await attempt(parts, message, helpers);
      if (failure) ctx.log.warn({ passcode: passcodeId, failure }, 'a passcode could not be delivered');
      await markPasscodeSent(ctx, passcodeId);
    },
    [RUN_BULK_INVITE_TASK]: (ctx, { bulkInviteId }: { bulkInviteId: string }, { abortSignal }) =>
      parts.bulkInvites.run(ctx, bulkInviteId, abortSignal ? { signal: abortSignal } : {}),
    [FETCH_LOGO_TASK]: (ctx, logo: LogoToFetch) => fetchLogo(ctx, parts.fetchLogo, logo),
    expire_invitations: async (ctx) => {
      while (await sweepExpiredInvitations(ctx)) ctx.log.debug({}, 'expired a batch of invitations');
    },
    clean_up: async (ctx) => {
      const now = ctx.clock.now();
      await deleteOldFlows(ctx.db, now);
      await forgetOldMailRequests(ctx);
      await sql`delete from idempotency_record where created_at < ${later(now, -IDEMPOTENCY_HOURS * 60 * 60 * 1000)}`.execute(
        ctx.db,
      );
      await requeueLostWork(ctx);
      await pruneEvents(ctx, later(now, -parts.eventRetentionDays * DAY));
    },
  };
  return Object.fromEntries(
    Object.entries(handlers).map(([task, handle]) => [
      task,
      (payload: unknown, helpers: JobHelpers) => handle(parts.context(task), payload as never, helpers),
    ]),
  );
}

/** What runs by the clock, in UTC. Cron entries of several processes make one job. */
export const crontab = `
* * * * * expire_invitations ?max=3
*/10 * * * * clean_up ?max=3
`;

/**
 * @returns why the mail will never arrive, or null when it is on its way.
 * @throws TemporaryMailError while there are attempts left: the worker comes again, later each time.
 */
async function attempt(parts: TaskParts, message: MailMessage, helpers: JobHelpers): Promise<string | null> {
  try {
    await parts.deliver(message);
    parts.observeMail('sent');
    return null;
  } catch (error) {
    if (!(error instanceof TemporaryMailError || error instanceof PermanentMailError)) throw error;
    const final = error instanceof PermanentMailError || helpers.job.attempts >= helpers.job.max_attempts;
    parts.observeMail(final ? 'failed' : 'postponed');
    if (!final) throw error;
    return error.reason;
  }
}
