/**
 * Every job on one page: what its payload is and which use case it calls. Handlers are idempotent; a job that failed for
 * good says so itself, because nobody comes after the last attempt. Who adds jobs is `database/add-job.ts`.
 */
import type { JobHelpers, TaskList } from 'graphile-worker';
import { sql } from 'kysely';
import { type AppLogoToFetch, FETCH_APP_LOGO_TASK, fetchAppLogo } from '../features/apps/app-logo.service.js';
import type { BulkInviteRun } from '../features/bulk-invites/bulk-invite-run.service.js';
import { RUN_BULK_INVITE_TASK } from '../features/bulk-invites/bulk-invites.service.js';
import { endSilentUploads, REMOVE_STAGED_ROWS_TASK, removeStagedRows } from '../features/bulk-invites/end-uploads.js';
import { forgetSpentAndTried } from '../features/credentials/clean-up.service.js';
import { forgetOrganizations } from '../features/identity-providers/entra-organizations.service.js';
import { forgetSpentAssertions } from '../features/identity-providers/saml-assertions.service.js';
import type { SamlProviders } from '../features/identity-providers/saml-providers.service.js';
import { sweepExpiredInvitations } from '../features/invitations/expire.service.js';
import { forgetOldMailRequests } from '../features/invitations/mail-limits.service.js';
import { deleteOldFlows } from '../features/proving/old-flows.service.js';
import { forgetDeletedUsers } from '../features/sign-in/departures.service.js';
import type { SessionsService } from '../features/sign-in/sessions.service.js';
import { FETCH_LOGO_TASK, fetchLogo, type LogoToFetch } from '../features/tenants/tenant-logo.service.js';
import { deleteOldUnsubscribeFlows } from '../features/unsubscriptions/unsubscribe-mails.service.js';
import type { BounceReport, BounceVerdict } from '../kernel/bounce-report.js';
import { DAY, later } from '../kernel/clock.js';
import type { BounceMailbox } from '../mail/bounce-mailbox.js';
import { forgetOldRateCounts } from '../request/rate-limits.js';
import type { RequestContext } from '../request/request-context.js';
import { READ_BOUNCES_TASK, readBounces } from './bounce-jobs.js';
import { forgetIdleQueues } from './forget-idle-queues.js';
import { type MailJobParts, mailHandlers } from './mail-jobs.js';
import { pruneEvents } from './prune-events.js';
import { requeueLostWork } from './requeue-lost-work.js';

export interface TaskParts extends MailJobParts {
  /** Null: no mailbox is read. */
  bounceMailbox: BounceMailbox | null;
  judgeBounce(report: BounceReport): Promise<BounceVerdict>;
  bulkInvites: BulkInviteRun;
  fetchLogo(url: string): Promise<Response>;
  saml: SamlProviders;
  sessions: SessionsService;
  /** Of the OpenID Provider, by task. */
  openIdTasks: Record<string, Handler>;
  forgetOpenIdPayloads(ctx: RequestContext, before: Date): Promise<void>;
  eventRetentionDays: number;
}

export type Handler = (ctx: RequestContext, payload: never, helpers: JobHelpers) => Promise<void>;

const IDEMPOTENCY_HOURS = 24;

export function createTasks(parts: TaskParts): TaskList {
  const handlers: Record<string, Handler> = {
    ...mailHandlers(parts),
    ...bounceHandlers(parts),
    ...parts.openIdTasks,
    [RUN_BULK_INVITE_TASK]: (ctx, { bulkInviteId }: { bulkInviteId: string }, { abortSignal, job }) =>
      parts.bulkInvites.takeTurn(ctx, bulkInviteId, {
        ...(abortSignal && { signal: abortSignal }),
        isLastAttempt: job.attempts >= job.max_attempts,
      }),
    [FETCH_APP_LOGO_TASK]: (ctx, logo: AppLogoToFetch) => fetchAppLogo(ctx, parts.fetchLogo, logo),
    [FETCH_LOGO_TASK]: (ctx, logo: LogoToFetch) => fetchLogo(ctx, parts.fetchLogo, logo),
    [REMOVE_STAGED_ROWS_TASK]: (ctx, { bulkInviteId }: { bulkInviteId: string }, { abortSignal }) =>
      removeStagedRows(ctx, bulkInviteId, abortSignal),
    end_silent_uploads: (ctx) => endSilentUploads(ctx),
    expire_invitations: async (ctx) => {
      while (await sweepExpiredInvitations(ctx)) ctx.log.debug({}, 'expired a batch of invitations');
    },
    refresh_saml_metadata: (ctx) => parts.saml.refreshDue(ctx),
    clean_up: async (ctx, _payload, { abortSignal }) => {
      const now = ctx.clock.now();
      await deleteOldFlows(ctx.db, now);
      await deleteOldUnsubscribeFlows(ctx.db, now);
      await forgetOldRateCounts(ctx.db, now);
      await forgetOldMailRequests(ctx);
      await forgetSpentAssertions(ctx.db, now);
      await forgetOrganizations(ctx.db, now);
      await forgetSpentAndTried(ctx);
      await parts.sessions.deleteOld(ctx);
      await forgetDeletedUsers(ctx);
      await parts.forgetOpenIdPayloads(ctx, later(now, -DAY));
      await sql`delete from idempotency_record where created_at < ${later(now, -IDEMPOTENCY_HOURS * 60 * 60 * 1000)}`.execute(
        ctx.db,
      );
      await requeueLostWork(ctx);
      await forgetIdleQueues(ctx.db);
      await pruneEvents(ctx, later(now, -parts.eventRetentionDays * DAY), abortSignal);
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
const crontab = `
* * * * * expire_invitations ?max=3
* * * * * end_silent_uploads ?max=3
*/10 * * * * clean_up ?max=3
*/5 * * * * refresh_saml_metadata ?max=3
17 * * * * rotate_signing_keys ?max=3
`;

/** One after the other, also over processes: a reading may take longer than a minute. */
const bounceCrontab = `* * * * * ${READ_BOUNCES_TASK} ?max=1&queue=${READ_BOUNCES_TASK}
`;

export function crontabOf({ bounceMailbox }: Pick<TaskParts, 'bounceMailbox'>): string {
  return bounceMailbox ? crontab + bounceCrontab : crontab;
}

/** Only where a mailbox is named, so that other processes leave the job to those that know it. */
function bounceHandlers({ bounceMailbox, judgeBounce }: TaskParts): Record<string, Handler> {
  return bounceMailbox ? { [READ_BOUNCES_TASK]: (ctx) => readBounces(ctx, bounceMailbox, judgeBounce) } : {};
}
