/** SAML 2.0 providers: their metadata, our key towards each, and the assertions that were taken. */
import { Migration } from '@mikro-orm/migrations';

export class Migration20261121Saml extends Migration {
  override name = '20261121-saml';

  override up(): void {
    this.addSql(statements);
  }
}

const statements = `
create table saml_provider (
  identity_provider_id text collate "C" not null,
  tenant_id text collate "C" not null,
  metadata_url text,
  entity_id text,
  metadata_certificates text[] not null,
  sso_url text not null,
  signing_certificates text[] not null,
  valid_until timestamptz(3),
  refreshed_at timestamptz(3) not null,
  refresh_at timestamptz(3),
  refresh_error text,
  name_id_format text not null,
  email_attribute text,
  display_name_attribute text,
  subject_attribute text,
  certificate text not null,
  sealed_private_key bytea not null,
  primary key (identity_provider_id),
  foreign key (tenant_id, identity_provider_id) references identity_provider (tenant_id, id) on delete cascade,
  check (name_id_format in ('PERSISTENT', 'EMAIL_ADDRESS', 'UNSPECIFIED'))
);
-- The job that reads metadata again walks all tenants.
create index saml_provider_refresh on saml_provider (refresh_at) where refresh_at is not null;

-- The replay cache.
create table spent_saml_assertion (
  identity_provider_id text collate "C" not null,
  assertion_hash bytea not null,
  tenant_id text collate "C" not null,
  spent_at timestamptz(3) not null,
  primary key (identity_provider_id, assertion_hash),
  foreign key (tenant_id, identity_provider_id) references identity_provider (tenant_id, id) on delete cascade
);
create index spent_saml_assertion_spent on spent_saml_assertion (spent_at);
`;
