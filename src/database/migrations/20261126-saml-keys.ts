/** The key towards a SAML provider that comes after the one in use: published first, then switched to. */
import { Migration } from '@mikro-orm/migrations';

export class Migration20261126SamlKeys extends Migration {
  override name = '20261126-saml-keys';

  override up(): void {
    this.addSql(statements);
  }
}

const statements = `
alter table saml_provider
  add column next_certificate text,
  add column sealed_next_private_key bytea,
  add check ((next_certificate is null) = (sealed_next_private_key is null));
`;
