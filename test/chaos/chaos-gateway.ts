/** `src/main.ts` for the chaos: its clock is put forward and back by whoever started it. Stops in order at SIGTERM. */
import { pino } from 'pino';
import { startApp } from '../../src/app.js';
import { loadConfig } from '../../src/config/config.js';
import type { Clock } from '../../src/kernel/clock.js';

let ahead = 0;
process.on('message', (message: { clockAheadMilliseconds: number }) => {
  ahead = message.clockAheadMilliseconds;
});
// Whoever started it is gone.
process.on('disconnect', () => process.exit(1));
const clock: Clock = { now: () => new Date(Date.now() + ahead) };
const config = loadConfig(process.env);
const log = pino({ level: config.logLevel });
const heartbeat = JSON.parse(process.env.CHAOS_HEARTBEAT ?? 'null') ?? undefined;
const app = await startApp({ config, log, clock, ...(heartbeat && { heartbeat }) });
process.on('SIGTERM', () => {
  setTimeout(() => process.exit(1), config.shutdown.drainSeconds * 1000).unref();
  void app.stop(500).then(() => process.exit(0));
});
process.stdout.write(`${JSON.stringify({ msg: 'vestibule is ready', url: app.publicUrl.href })}\n`);
