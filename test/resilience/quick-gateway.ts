/** `src/main.ts` for tests that kill it: its jobs are taken over within seconds instead of half a minute. */
import { pino } from 'pino';
import { startApp } from '../../src/app.js';
import { loadConfig } from '../../src/config/config.js';

const log = pino({ level: 'info' });
const heartbeat = { beat: 200, silentFor: 1500 };
const { publicUrl } = await startApp({ config: loadConfig(process.env), log, heartbeat });
log.info({ url: publicUrl.href }, 'vestibule is ready');
