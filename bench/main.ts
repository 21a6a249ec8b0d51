/**
 * `npm run bench`: what the gateway costs, as ratios against a raw limit in the same run on the same database, medians of
 * several alternating rounds. Absolute numbers belong to the machine, ratios to the code. `bench/README.md` has results.
 */
import { cpus, totalmem } from 'node:os';
import { describeBulk, measureBulk } from './bulk.js';
import { describeFeed, measureFeed } from './feed.js';
import { measureGrowth } from './growth.js';
import { describeMail, measureMail } from './mail.js';
import { measureOpenId } from './openid.js';
import { measureRoad } from './road.js';

/** Each with a gateway and a database of its own; alone by its name in BENCH_ONLY. */
const parts: Record<string, () => Promise<string>> = {
  road: measureRoad,
  bulk: async () => describeBulk(await measureBulk()),
  mail: async () => describeMail(await measureMail()),
  feed: async () => describeFeed(await measureFeed()),
  growth: measureGrowth,
  openid: measureOpenId,
};

const only = process.env.BENCH_ONLY;
if (only && !parts[only]) throw new Error(`BENCH_ONLY is one of ${Object.keys(parts).join(', ')}.`);
console.log(
  `Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB\n`,
);
for (const [name, measure] of Object.entries(parts)) if (!only || only === name) console.log(`${await measure()}\n`);
// Pools of load generators keep idle sockets.
process.exit();
