import type { TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';

/** Adds the job and waits until none is left. */
export async function runTask(gateway: TestGateway, task: string): Promise<void> {
  await gateway.sql('select graphile_worker.add_job($1)', [task]);
  await allJobsDone(gateway);
}

export function allJobsDone(gateway: TestGateway): Promise<unknown> {
  return until(async () => (await gateway.sql('select from graphile_worker.jobs')).length === 0, 'the jobs to be done');
}
