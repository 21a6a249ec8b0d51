/** Partners whose people are not asked for the terms of use, because their organisation has agreed for them. */
import { Migration } from '@mikro-orm/migrations';

export class Migration20261126PartnerTerms extends Migration {
  override name = '20261126-partner-terms';

  override up(): void {
    this.addSql('alter table partner add column skips_terms_of_use boolean not null default false');
  }
}
