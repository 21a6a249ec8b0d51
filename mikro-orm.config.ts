/** For the MikroORM command line only: `npm run build && npx mikro-orm …` against DATABASE_URL. The gateway builds its own. */
import { ormConfig } from './src/database/orm.js';
import { entities } from './src/entities.js';
import { silentLog } from './src/kernel/log.js';

// biome-ignore lint/style/noProcessEnv: the command line has no other way to be told a database
const url = process.env.DATABASE_URL ?? 'postgresql://localhost/vestibule';

export default ormConfig({ url, poolSize: 2, entities, log: silentLog });
