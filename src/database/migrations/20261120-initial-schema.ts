/** The first schema: columns as the entities declare them; keys, checks and indexes written by hand, because they are the rules. */
import { Migration } from '@mikro-orm/migrations';

export class Migration20261120InitialSchema extends Migration {
  override name = '20261120-initial-schema';

  override up(): void {
    this.addSql(statements);
  }
}

const statements = `
create extension if not exists pg_trgm;

-- One row. The feed's era, raised when the database moved to a cluster whose transaction ids start lower, and the place
-- up to which old events were deleted.
create table feed_state (
  epoch int not null,
  pruned_epoch int not null,
  pruned_xid xid8 not null,
  pruned_seq bigint not null
);
insert into feed_state values (1, 0, '0', 0);
create function current_feed_epoch() returns int language sql stable as 'select epoch from feed_state';

create table tenant (
  id text collate "C" not null,
  slug text collate "C" not null,
  display_name text not null,
  default_language text not null,
  own_domains text[] not null,
  logo_url text,
  accent_color text not null,
  support_email text,
  privacy_statement_url text,
  terms_of_use_url text,
  created_at timestamptz(3) not null,
  primary key (id),
  unique (slug)
);

create table tenant_logo (
  tenant_id text collate "C" not null,
  source_url text not null,
  content_type text not null,
  image bytea not null,
  hash text collate "C" not null,
  fetched_at timestamptz(3) not null,
  primary key (tenant_id),
  foreign key (tenant_id) references tenant (id)
);

create table api_key (
  id text collate "C" not null,
  tenant_id text collate "C",
  name text not null,
  prefix text not null,
  secret_hash bytea not null,
  permissions text[] not null,
  created_at timestamptz(3) not null,
  expires_at timestamptz(3),
  last_used_at timestamptz(3),
  revoked_at timestamptz(3),
  primary key (id),
  foreign key (tenant_id) references tenant (id),
  unique (secret_hash)
);
create index api_key_tenant_created on api_key (tenant_id, created_at, id);

create table external_user (
  id text collate "C" not null,
  tenant_id text collate "C" not null,
  email text not null,
  email_key text collate "C" not null,
  display_name text,
  user_principal_name text collate "C" not null,
  user_type text not null,
  creation_type text not null,
  state text not null,
  state_changed_at timestamptz(3) not null,
  account_enabled boolean not null,
  preferred_language text,
  created_at timestamptz(3) not null,
  last_sign_in_at timestamptz(3),
  primary key (id),
  foreign key (tenant_id) references tenant (id),
  unique (tenant_id, id),
  unique (tenant_id, email_key),
  check (user_type in ('GUEST', 'MEMBER')),
  check (state in ('PENDING_ACCEPTANCE', 'ACCEPTED'))
);
create index external_user_created on external_user (tenant_id, created_at, id);
-- Of another collation than the column: pg_trgm serves = as well, and PostgreSQL 15 would look addresses up here, 20 times slower.
create index external_user_email_trigram on external_user using gin (email_key collate "default" gin_trgm_ops);

create table identity (
  id text collate "C" not null,
  tenant_id text collate "C" not null,
  external_user_id text collate "C" not null,
  identity_provider_id text collate "C" not null,
  issuer text collate "C" not null,
  subject text collate "C" not null,
  sign_in_type text not null,
  linked_at timestamptz(3) not null,
  primary key (id),
  foreign key (tenant_id, external_user_id) references external_user (tenant_id, id) on delete cascade,
  unique (tenant_id, identity_provider_id, issuer, subject)
);
create index identity_user on identity (external_user_id, linked_at, id);

create table user_group (
  id text collate "C" not null,
  tenant_id text collate "C" not null,
  display_name text not null,
  name_key text collate "C" not null,
  description text,
  created_at timestamptz(3) not null,
  primary key (id),
  foreign key (tenant_id) references tenant (id),
  unique (tenant_id, id),
  unique (tenant_id, name_key)
);
create index user_group_created on user_group (tenant_id, created_at, id);

create table group_member (
  group_id text collate "C" not null,
  external_user_id text collate "C" not null,
  tenant_id text collate "C" not null,
  created_at timestamptz(3) not null,
  primary key (group_id, external_user_id),
  foreign key (tenant_id, group_id) references user_group (tenant_id, id) on delete cascade,
  foreign key (tenant_id, external_user_id) references external_user (tenant_id, id) on delete cascade
);
create index group_member_created on group_member (group_id, created_at, external_user_id);
create index group_member_user on group_member (external_user_id, created_at, group_id);

create table app (
  id text collate "C" not null,
  tenant_id text collate "C" not null,
  display_name text not null,
  name_key text collate "C" not null,
  client_id text collate "C" not null,
  client_secret_hash bytea not null,
  previous_client_secret_hash bytea,
  previous_secret_expires_at timestamptz(3),
  home_page_url text not null,
  redirect_uris text[] not null,
  assignment_required boolean not null,
  roles text[] not null,
  created_at timestamptz(3) not null,
  primary key (id),
  foreign key (tenant_id) references tenant (id),
  unique (tenant_id, id),
  unique (tenant_id, name_key),
  unique (client_id)
);
create index app_created on app (tenant_id, created_at, id);

create table app_assignment (
  id text collate "C" not null,
  tenant_id text collate "C" not null,
  app_id text collate "C" not null,
  external_user_id text collate "C",
  group_id text collate "C",
  role text collate "C",
  created_at timestamptz(3) not null,
  primary key (id),
  foreign key (tenant_id, app_id) references app (tenant_id, id) on delete cascade,
  foreign key (tenant_id, external_user_id) references external_user (tenant_id, id) on delete cascade,
  foreign key (tenant_id, group_id) references user_group (tenant_id, id) on delete cascade,
  check (num_nonnulls(external_user_id, group_id) = 1),
  unique nulls not distinct (app_id, external_user_id, group_id, role)
);
create index app_assignment_app on app_assignment (app_id, created_at, id);
create index app_assignment_user on app_assignment (external_user_id, created_at, id) where external_user_id is not null;
create index app_assignment_group on app_assignment (group_id) where group_id is not null;

create table identity_provider (
  id text collate "C" not null,
  tenant_id text collate "C" not null,
  kind text not null,
  display_name text not null,
  issuer text,
  client_id text,
  sealed_client_secret bytea,
  scopes text[] not null,
  enabled boolean not null,
  created_at timestamptz(3) not null,
  primary key (id),
  foreign key (tenant_id) references tenant (id),
  unique (tenant_id, id),
  check (kind in ('OIDC', 'SAML', 'EMAIL_PASSCODE', 'LOCAL'))
);
create index identity_provider_created on identity_provider (tenant_id, created_at, id);

create table identity_provider_domain (
  tenant_id text collate "C" not null,
  pattern text collate "C" not null,
  identity_provider_id text collate "C" not null,
  position int not null,
  primary key (tenant_id, pattern),
  foreign key (tenant_id, identity_provider_id) references identity_provider (tenant_id, id) on delete cascade
);
create index identity_provider_domain_provider on identity_provider_domain (identity_provider_id, position);

create table invitation (
  id text collate "C" not null,
  tenant_id text collate "C" not null,
  external_user_id text collate "C" not null,
  email text not null,
  email_key text collate "C" not null,
  display_name text,
  status text not null,
  delivery text not null,
  delivery_error text,
  invited_by_kind text not null,
  invited_by_id text collate "C",
  invited_by_name text not null,
  inviter_name text,
  bulk_invite_id text collate "C",
  row_number int,
  landing_app_id text collate "C",
  redirect_url text,
  message text,
  language text not null,
  cc_recipients text[] not null,
  link_version int not null,
  link_hash bytea not null,
  send_count int not null,
  created_at timestamptz(3) not null,
  expires_at timestamptz(3) not null,
  sent_at timestamptz(3),
  last_sent_at timestamptz(3),
  started_at timestamptz(3),
  proven_at timestamptz(3),
  consented_at timestamptz(3),
  redeemed_at timestamptz(3),
  declined_at timestamptz(3),
  decline_proven boolean not null,
  revoked_at timestamptz(3),
  expired_at timestamptz(3),
  identity_provider_kind text,
  primary key (id),
  foreign key (tenant_id, external_user_id) references external_user (tenant_id, id),
  foreign key (tenant_id, landing_app_id) references app (tenant_id, id) on delete set null (landing_app_id),
  unique (tenant_id, id),
  check (status in ('PENDING', 'REDEEMED', 'DECLINED', 'REVOKED', 'EXPIRED')),
  check (delivery in ('SUPPRESSED', 'QUEUED', 'SENT', 'BOUNCED', 'FAILED'))
);
-- Only a pending invitation blocks another one for the same address.
create unique index invitation_one_pending on invitation (tenant_id, email_key) where status = 'PENDING';
create index invitation_created on invitation (tenant_id, created_at, id);
create index invitation_status on invitation (tenant_id, status, expires_at, id);
create index invitation_email on invitation (tenant_id, email_key, id);
create index invitation_expires on invitation (tenant_id, expires_at, id);
create index invitation_bulk_row on invitation (bulk_invite_id, row_number) where bulk_invite_id is not null;
create index invitation_user on invitation (external_user_id, created_at, id);
-- The sweeper of expired invitations walks all tenants.
create index invitation_to_expire on invitation (expires_at) where status = 'PENDING';

create table invitation_grant (
  invitation_id text collate "C" not null,
  position int not null,
  tenant_id text collate "C" not null,
  app_id text collate "C",
  group_id text collate "C",
  role text collate "C",
  primary key (invitation_id, position),
  foreign key (tenant_id, invitation_id) references invitation (tenant_id, id) on delete cascade,
  foreign key (tenant_id, app_id) references app (tenant_id, id) on delete cascade,
  foreign key (tenant_id, group_id) references user_group (tenant_id, id) on delete cascade,
  check (num_nonnulls(app_id, group_id) = 1)
);
create index invitation_grant_app on invitation_grant (app_id, invitation_id) where app_id is not null;
create index invitation_grant_group on invitation_grant (group_id, invitation_id) where group_id is not null;

create table mail_request (
  id bigserial primary key,
  tenant_id text collate "C" not null,
  address_key text collate "C" not null,
  requested_at timestamptz(3) not null
);
create index mail_request_address on mail_request (address_key, requested_at, tenant_id);
create index mail_request_time on mail_request using brin (requested_at);

create table tenant_mail_count (
  tenant_id text collate "C" not null,
  hour timestamptz(3) not null,
  shard int not null,
  mails int not null,
  primary key (tenant_id, hour, shard)
);

create table bulk_invite (
  id text collate "C" not null,
  tenant_id text collate "C" not null,
  created_by_kind text not null,
  created_by_id text collate "C",
  created_by_name text not null,
  file_name text,
  source text not null,
  defaults jsonb not null,
  status text not null,
  dry_run boolean not null,
  error_policy text not null,
  total_rows int not null,
  processed_rows int not null,
  invited_rows int not null,
  rejected_rows int not null,
  cancelled_rows int not null,
  warnings text[] not null,
  errors jsonb not null,
  created_at timestamptz(3) not null,
  started_at timestamptz(3),
  finished_at timestamptz(3),
  primary key (id),
  foreign key (tenant_id) references tenant (id),
  check (source in ('ROWS', 'CSV')),
  check (status in ('RECEIVING', 'QUEUED', 'RUNNING', 'COMPLETED', 'CANCELLED', 'FAILED')),
  check (error_policy in ('IGNORE_FAILED', 'REJECT_EVERYTHING'))
);
create index bulk_invite_created on bulk_invite (tenant_id, created_at, id);

create table bulk_invite_row (
  bulk_invite_id text collate "C" not null,
  row_number int not null,
  tenant_id text collate "C" not null,
  email text,
  email_key text collate "C",
  input jsonb not null,
  outcome text not null,
  errors jsonb not null,
  invitation_id text collate "C",
  primary key (bulk_invite_id, row_number)
);
create index bulk_invite_row_outcome on bulk_invite_row (bulk_invite_id, outcome, row_number);
-- Whether an earlier row has the same address.
create index bulk_invite_row_address on bulk_invite_row (bulk_invite_id, email_key, row_number) where email_key is not null;

create table redemption_flow (
  id text collate "C" not null,
  tenant_id text collate "C" not null,
  invitation_id text collate "C" not null,
  link_version int not null,
  browser_hash bytea,
  handle_hash bytea,
  status text not null,
  sign_in_provider_id text collate "C",
  sign_in_state_hash bytea,
  sealed_sign_in bytea,
  passcode_tries int not null,
  proven_at timestamptz(3),
  proof_kind text,
  proof_provider_id text collate "C",
  proof_issuer text collate "C",
  proof_subject text collate "C",
  proof_display_name text,
  mismatched_email text,
  created_at timestamptz(3) not null,
  expires_at timestamptz(3) not null,
  primary key (id),
  foreign key (tenant_id, invitation_id) references invitation (tenant_id, id) on delete cascade,
  check (num_nonnulls(browser_hash, handle_hash) = 1),
  check (status in ('STARTED', 'PROVEN', 'REDEEMED', 'DECLINED')),
  unique (handle_hash)
);
create index redemption_flow_invitation on redemption_flow (invitation_id);
create index redemption_flow_expires on redemption_flow (expires_at);
create index redemption_flow_browser on redemption_flow (browser_hash) where browser_hash is not null;
create unique index redemption_flow_state on redemption_flow (sign_in_state_hash) where sign_in_state_hash is not null;

create table passcode (
  id text collate "C" not null,
  tenant_id text collate "C" not null,
  flow_id text collate "C" not null,
  code_hash bytea not null,
  sealed_code bytea,
  created_at timestamptz(3) not null,
  expires_at timestamptz(3) not null,
  used_at timestamptz(3),
  primary key (id),
  foreign key (flow_id) references redemption_flow (id) on delete cascade
);
create index passcode_flow on passcode (flow_id, created_at);

create table passcode_failures (
  invitation_id text collate "C" not null,
  link_version int not null,
  tenant_id text collate "C" not null,
  window_started_at timestamptz(3) not null,
  wrong int not null,
  primary key (invitation_id, link_version),
  foreign key (tenant_id, invitation_id) references invitation (tenant_id, id) on delete cascade
);

create table event (
  seq bigserial not null,
  epoch int not null default current_feed_epoch(),
  xid xid8 not null default pg_current_xact_id(),
  tenant_id text collate "C" not null,
  type text not null,
  at timestamptz(3) not null,
  actor_kind text,
  actor_name text,
  reason text,
  detail text,
  invitation_id text collate "C" not null,
  external_user_id text collate "C",
  bulk_invite_id text collate "C",
  app_ids text[] not null,
  -- The tail of a process reads all tenants in the order of the feed.
  primary key (epoch, xid, seq)
);
create index event_tenant_place on event (tenant_id, epoch, xid, seq);
create index event_invitation_place on event (invitation_id, epoch, xid, seq);
create index event_at on event using brin (at);

create table idempotency_record (
  tenant_id text collate "C" not null,
  actor_id text collate "C" not null,
  operation text collate "C" not null,
  key text collate "C" not null,
  input_hash bytea not null,
  result jsonb not null,
  created_at timestamptz(3) not null,
  primary key (tenant_id, actor_id, operation, key)
);
create index idempotency_record_created on idempotency_record (created_at);

create table gateway_process (
  id text collate "C" not null,
  worker_ids text[] not null,
  started_at timestamptz(3) not null,
  seen_at timestamptz(3) not null,
  primary key (id)
);
`;
