/** Policies of a tenant on domains and on ways to sign in, and partners with rules of their own. */
import { Migration } from '@mikro-orm/migrations';

export class Migration20261122Routing extends Migration {
  override name = '20261122-routing';

  override up(): void {
    this.addSql(statements);
  }
}

const statements = `
alter table tenant
  add column domain_rule text not null default 'ALLOW_ANY',
  add column domain_patterns text[] not null default '{}',
  add check (domain_rule in ('ALLOW_ANY', 'ALLOW_LISTED', 'DENY_LISTED'));

-- A tenant without a row has the default.
create table sign_in_policy (
  tenant_id text collate "C" not null,
  sign_in_order text[] not null,
  fallback text not null,
  primary key (tenant_id),
  foreign key (tenant_id) references tenant (id),
  check (sign_in_order <@ array['TENANT_PROVIDERS', 'SOCIAL', 'EMAIL_PASSCODE', 'LOCAL'] and cardinality(sign_in_order) > 0),
  check (fallback in ('NONE', 'EMAIL_PASSCODE'))
);

create table partner (
  id text collate "C" not null,
  tenant_id text collate "C" not null,
  display_name text not null,
  sign_in_order text[],
  fallback text,
  automatic_redemption boolean not null,
  trusts_second_factor boolean not null,
  created_at timestamptz(3) not null,
  primary key (id),
  foreign key (tenant_id) references tenant (id),
  unique (tenant_id, id),
  check (sign_in_order <@ array['TENANT_PROVIDERS', 'SOCIAL', 'EMAIL_PASSCODE', 'LOCAL'] and cardinality(sign_in_order) > 0),
  check (fallback in ('NONE', 'EMAIL_PASSCODE')),
  check ((sign_in_order is null) = (fallback is null))
);
create index partner_created on partner (tenant_id, created_at, id);

create table partner_domain (
  tenant_id text collate "C" not null,
  pattern text collate "C" not null,
  partner_id text collate "C" not null,
  position int not null,
  primary key (tenant_id, pattern),
  foreign key (tenant_id, partner_id) references partner (tenant_id, id) on delete cascade
);
create index partner_domain_partner on partner_domain (partner_id, position);
`;
