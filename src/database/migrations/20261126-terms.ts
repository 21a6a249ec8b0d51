/** Terms of use: versions per tenant, their texts by language, and who agreed to which of them. */
import { Migration } from '@mikro-orm/migrations';

export class Migration20261126Terms extends Migration {
  override name = '20261126-terms';

  override up(): void {
    this.addSql(statements);
  }
}

const statements = `
create table terms_of_use (
  tenant_id text collate "C" not null,
  version int not null,
  published_at timestamptz(3) not null,
  published_by_kind text not null,
  published_by_name text not null,
  primary key (tenant_id, version),
  foreign key (tenant_id) references tenant (id)
);

create table terms_of_use_text (
  tenant_id text collate "C" not null,
  version int not null,
  language text collate "C" not null,
  markdown text not null,
  hash text collate "C" not null,
  primary key (tenant_id, version, language),
  foreign key (tenant_id, version) references terms_of_use (tenant_id, version)
);

-- The version in force; null: there are no terms, or they were withdrawn.
alter table tenant
  add column terms_version int,
  add foreign key (id, terms_version) references terms_of_use (tenant_id, version);

create table terms_acceptance (
  tenant_id text collate "C" not null,
  external_user_id text collate "C" not null,
  version int not null,
  language text collate "C" not null,
  hash text collate "C" not null,
  accepted_at timestamptz(3) not null,
  primary key (tenant_id, external_user_id, version),
  foreign key (tenant_id, external_user_id) references external_user (tenant_id, id) on delete cascade,
  foreign key (tenant_id, version, language) references terms_of_use_text (tenant_id, version, language)
);
`;
