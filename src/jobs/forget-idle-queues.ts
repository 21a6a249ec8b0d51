/** A queue per tenant that ever had a bulk invite, of which the worker locks every free one for each job it takes. */
import { sql } from 'kysely';
import type { Db } from '../database/transaction.js';

export async function forgetIdleQueues(db: Db): Promise<void> {
  await sql`
    delete from graphile_worker._private_job_queues queue
    where queue.locked_at is null
      and not exists (select from graphile_worker._private_jobs job where job.job_queue_id = queue.id)`.execute(db);
}
