/** Sessions of guests at the gateway, and what a flow hands over to one: how the person was authenticated. */
import { Migration } from '@mikro-orm/migrations';

export class Migration20261123Sessions extends Migration {
  override name = '20261123-sessions';

  override up(): void {
    this.addSql(statements);
  }
}

const statements = `
alter table identity add unique (tenant_id, id);

create table guest_session (
  id text collate "C" not null,
  tenant_id text collate "C" not null,
  external_user_id text collate "C" not null,
  identity_id text collate "C",
  token_hash bytea not null,
  authenticated_at timestamptz(3) not null,
  amr text[] not null,
  second_factor_at timestamptz(3),
  device text,
  created_at timestamptz(3) not null,
  last_seen_at timestamptz(3) not null,
  expires_at timestamptz(3) not null,
  ended_at timestamptz(3),
  end_reason text,
  primary key (id),
  foreign key (tenant_id, external_user_id) references external_user (tenant_id, id) on delete cascade,
  foreign key (tenant_id, identity_id) references identity (tenant_id, id) on delete set null (identity_id),
  unique (token_hash),
  unique (tenant_id, id),
  check ((ended_at is null) = (end_reason is null))
);
create index guest_session_user on guest_session (external_user_id, created_at, id);
create index guest_session_identity on guest_session (identity_id) where identity_id is not null;
-- The sweeper walks all tenants.
create index guest_session_expires on guest_session (expires_at);

alter table redemption_flow
  add column amr text[] not null default '{}',
  add column second_factor_at timestamptz(3),
  -- A flow opens one session: coming back to its last page does not sign in again.
  add column session_opened_at timestamptz(3);
`;
