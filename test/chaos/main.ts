/**
 * The long run: `npm run chaos -- --minutes 15 --seed 42`. Prints what happened as JSON; ends with 1 when a rule was broken,
 * and says where the evidence lies. Without a seed it makes one up and prints it. `--only 'network cut'`, repeated if need be,
 * narrows the faults, to find out which of them does it.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { runChaos } from './chaos.js';
import { faultKinds } from './faults.js';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '15' },
    seed: { type: 'string', default: String(randomInt(1_000_000)) },
    gateways: { type: 'string', default: '3' },
    only: { type: 'string', multiple: true },
  },
});
const tell = (line: string) => console.error(`${new Date().toISOString()} ${line}`);
tell(`seed ${values.seed}, ${values.gateways} gateways, faults for ${values.minutes} minutes`);
const report = await runChaos({
  seed: Number(values.seed),
  milliseconds: Number(values.minutes) * 60_000,
  gateways: Number(values.gateways),
  rowsPerBulkInvite: { least: 50, most: 800 },
  uploads: 0.5,
  pauseMilliseconds: { least: 1000, most: 9000 },
  kinds: faultKinds.filter((kind) => values.only?.includes(kind) ?? true),
  tell,
});
console.log(JSON.stringify(report, null, 2));
const lost = report.violations.length;
tell(lost === 0 ? '0 lost, 0 doubled' : `${lost} rules were broken; evidence in ${report.evidence}`);
process.exit(lost === 0 ? 0 : 1);
