/** Files that arrive as a stream: when their upload last showed that it lives. */
import { Migration } from '@mikro-orm/migrations';

export class Migration20261121Uploads extends Migration {
  override name = '20261121-uploads';

  override up(): void {
    this.addSql(statements);
  }
}

const statements = `
alter table bulk_invite add column received_at timestamptz(3);
-- For the sweeper. Whoever is RECEIVING is here, nobody else.
create index bulk_invite_receiving on bulk_invite (received_at) where status = 'RECEIVING';
`;
