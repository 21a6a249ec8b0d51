/** Partners whose people invite whom they like; those of the others invite people of their own organisation. */
import { Migration } from '@mikro-orm/migrations';

export class Migration20261127Inviters extends Migration {
  override name = '20261127-inviters';

  override up(): void {
    this.addSql('alter table partner add column invites_anybody boolean not null default false');
  }
}
