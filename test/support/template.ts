/** What every test database is cloned from: the schema as the migrations make it, jobs included. */
import { migrate } from '../../src/database/migrate.js';
import { openOrm } from '../../src/database/orm.js';
import { entities } from '../../src/entities.js';
import { silentLog } from '../../src/kernel/log.js';

export async function prepareTemplate(url: string): Promise<void> {
  const orm = await openOrm({ url, poolSize: 2, entities, log: silentLog });
  try {
    await migrate({ orm, url, log: silentLog, afterwards: async () => undefined });
  } finally {
    await orm.close();
  }
}
