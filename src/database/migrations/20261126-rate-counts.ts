/** What limits count, over all processes. Unlogged: after a crash of the server everybody starts anew, and nothing else is lost. */
import { Migration } from '@mikro-orm/migrations';

export class Migration20261126RateCounts extends Migration {
  override name = '20261126-rate-counts';

  override up(): void {
    this.addSql(statements);
  }
}

const statements = `
create unlogged table rate_count (
  key_hash bytea not null,
  window_start timestamptz(3) not null,
  window_end timestamptz(3) not null,
  hits int not null,
  primary key (key_hash, window_start)
);
create index rate_count_end on rate_count (window_end);
`;
