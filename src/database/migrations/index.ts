/** Migrations in the order they run; forward only. A list instead of a folder scan: the same in source, build and tests. */
import { Migration20261120InitialSchema } from './20261120-initial-schema.js';

export const migrations = [{ name: '20261120-initial-schema', class: Migration20261120InitialSchema }];
