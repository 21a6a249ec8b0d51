/**
 * Work that waits for a job which does not exist any more: its attempts were used up while the database or a key was
 * missing, or somebody deleted it. It gets a new one. Handlers are idempotent, so that one too many does nothing.
 */
import { type RawBuilder, sql } from 'kysely';
import { addJobs } from '../database/add-job.js';
import { queueBulkInviteRun, RUN_BULK_INVITE_TASK } from '../features/bulk-invites/bulk-invites.service.js';
import { mailJobs } from '../features/invitations/invitation-mail-jobs.service.js';
import { later, MINUTE } from '../kernel/clock.js';
import type { RequestContext } from '../request/request-context.js';

/** Younger work is left alone: somebody may be about to look after it. */
const GRACE_MILLISECONDS = 5 * MINUTE;
const BATCH = 1000;

export async function requeueLostWork(ctx: RequestContext): Promise<void> {
  const before = later(ctx.clock.now(), -GRACE_MILLISECONDS);
  const mails = await requeueMails(ctx, before);
  const bulkInvites = await requeueBulkInvites(ctx, before);
  await forgetSuperseded(ctx);
  if (mails + bulkInvites > 0) ctx.log.warn({ mails, bulkInvites }, 'work without a job was queued again');
}

/** Batch by batch in the order of ids, so that none is looked at twice. */
async function requeueMails(ctx: RequestContext, before: Date): Promise<number> {
  let mails = 0;
  for (let after: string | undefined = ''; after !== undefined; ) {
    const found = await requeueBatch(ctx, before, after);
    mails += found.length;
    after = found.length === BATCH ? found.at(-1) : undefined;
  }
  return mails;
}

/** @returns their ids */
async function requeueBatch(ctx: RequestContext, before: Date, after: string): Promise<string[]> {
  const { rows } = await sql<{ id: string; linkVersion: number; bulk: boolean }>`
    select i.id, i.link_version as "linkVersion", i.bulk_invite_id is not null as bulk
    from invitation i
    where i.delivery = 'QUEUED' and i.status = 'PENDING' and i.expires_at > ${ctx.clock.now()} and i.created_at < ${before}
      and i.id > ${after} and ${hasNoJob(sql`'invitation-mail/' || i.id || '/' || i.link_version`)}
    order by i.id limit ${BATCH}`.execute(ctx.db);
  // Without copies: which of them went out is not known, and nobody waits for them.
  const jobs = rows.flatMap(({ id, linkVersion, bulk }) => mailJobs(id, linkVersion, [], bulk));
  await ctx.transaction(null, (tx) => addJobs(tx, jobs));
  return rows.map(({ id }) => id);
}

async function requeueBulkInvites(ctx: RequestContext, before: Date): Promise<number> {
  const { rows } = await sql<{ id: string; tenantId: string }>`
    select b.id, b.tenant_id as "tenantId" from bulk_invite b
    where b.status in ('QUEUED', 'RUNNING') and b.created_at < ${before} and ${hasNoJob(sql`'bulk-invite/' || b.id`)}
    order by b.id`.execute(ctx.db);
  for (const { id, tenantId } of rows) await ctx.transaction(tenantId, (tx) => queueBulkInviteRun(tx, tenantId, id));
  return rows.length;
}

/** A job with attempts left, or in its last one. One whose attempts are used up stays in the table and counts for nothing. */
function hasNoJob(key: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`not exists (
    select from graphile_worker.jobs job
    where job.key = ${key} and (job.attempts < job.max_attempts or job.locked_at is not null))`;
}

/**
 * A job that queued its successor and then died with its process: graphile-worker took its key away and its attempts with it.
 * Nobody will ever run it, and it is no failure.
 */
async function forgetSuperseded(ctx: RequestContext): Promise<void> {
  await sql`
    delete from graphile_worker._private_jobs job using graphile_worker._private_tasks task
    where task.id = job.task_id and task.identifier = ${RUN_BULK_INVITE_TASK} and job.key is null
      and job.attempts >= job.max_attempts and job.locked_at is null`.execute(ctx.db);
}
