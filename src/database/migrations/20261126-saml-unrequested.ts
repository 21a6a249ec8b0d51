/** SAML providers whose portal may begin a sign-in: off unless an operator says so. */
import { Migration } from '@mikro-orm/migrations';

export class Migration20261126SamlUnrequested extends Migration {
  override name = '20261126-saml-unrequested';

  override up(): void {
    this.addSql('alter table saml_provider add column allows_unrequested_sign_in boolean not null default false');
  }
}
