/**
 * Everything that can happen to a fleet, within half a minute and by a seed, so that it is every time the same; `npm run
 * chaos` is the long run. What must hold afterwards are the sentences of `invariants.ts`.
 */
import { expect, test } from '@jest/globals';
import { runChaos } from './chaos.js';

test('a fleet under every kind of fault loses nothing and does nothing twice', async () => {
  const report = await runChaos({
    seed: 20261120,
    milliseconds: 25_000,
    gateways: 2,
    heartbeat: { beat: 200, silentFor: 1500 },
    rowsPerBulkInvite: { least: 20, most: 300 },
    uploads: 0,
    pauseMilliseconds: { least: 500, most: 3500 },
  });
  expect(report.violations).toEqual([]);
  // It was no idle run.
  const { invited, bulkRows, redeemed } = report.done;
  expect(Math.min(invited, bulkRows, redeemed, report.mails, report.events)).toBeGreaterThan(0);
  expect(Object.values(report.faults).filter((times) => times === 0)).toEqual([]);
}, 300_000);
