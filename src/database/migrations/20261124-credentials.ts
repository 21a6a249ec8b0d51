/** Local accounts and second factors: passwords, passkeys, time-based codes, recovery codes, and who has to use them. */
import { Migration } from '@mikro-orm/migrations';

export class Migration20261124Credentials extends Migration {
  override name = '20261124-credentials';

  override up(): void {
    this.addSql(statements);
  }
}

const statements = `
create table local_password (
  external_user_id text collate "C" not null,
  tenant_id text collate "C" not null,
  password_hash bytea not null,
  created_at timestamptz(3) not null,
  changed_at timestamptz(3) not null,
  last_used_at timestamptz(3),
  primary key (external_user_id),
  foreign key (tenant_id, external_user_id) references external_user (tenant_id, id) on delete cascade
);

create table passkey (
  id text collate "C" not null,
  tenant_id text collate "C" not null,
  external_user_id text collate "C" not null,
  credential_id text collate "C" not null,
  public_key bytea not null,
  counter bigint not null,
  transports text[] not null,
  is_synced boolean not null,
  label text not null,
  created_at timestamptz(3) not null,
  last_used_at timestamptz(3),
  primary key (id),
  foreign key (tenant_id, external_user_id) references external_user (tenant_id, id) on delete cascade,
  unique (tenant_id, credential_id)
);
create index passkey_user on passkey (external_user_id, created_at, id);

-- What was signed by a passkey is taken once.
create table spent_challenge (
  challenge_hash bytea not null,
  tenant_id text collate "C" not null,
  spent_at timestamptz(3) not null,
  primary key (challenge_hash),
  foreign key (tenant_id) references tenant (id)
);
create index spent_challenge_spent on spent_challenge (spent_at);

create table totp (
  external_user_id text collate "C" not null,
  tenant_id text collate "C" not null,
  sealed_seed bytea not null,
  last_step bigint not null,
  created_at timestamptz(3) not null,
  last_used_at timestamptz(3),
  primary key (external_user_id),
  foreign key (tenant_id, external_user_id) references external_user (tenant_id, id) on delete cascade
);

create table recovery_code (
  external_user_id text collate "C" not null,
  code_hash bytea not null,
  tenant_id text collate "C" not null,
  created_at timestamptz(3) not null,
  used_at timestamptz(3),
  primary key (external_user_id, code_hash),
  foreign key (tenant_id, external_user_id) references external_user (tenant_id, id) on delete cascade
);

-- Of an address, whether or not anybody has it, or of a user.
create table credential_tries (
  tenant_id text collate "C" not null,
  kind text collate "C" not null,
  subject text collate "C" not null,
  window_started_at timestamptz(3) not null,
  tries int not null,
  primary key (tenant_id, kind, subject),
  foreign key (tenant_id) references tenant (id),
  check (kind in ('PASSWORD', 'SECOND_FACTOR'))
);
create index credential_tries_window on credential_tries (window_started_at);

alter table tenant add column second_factor_required boolean not null default false;
alter table identity_provider add column trusts_second_factor boolean not null default false;
`;
