/** The gateway as OpenID Provider: what apps are as clients, keys that sign, and what the protocol remembers. */
import { Migration } from '@mikro-orm/migrations';

export class Migration20261125OpenidProvider extends Migration {
  override name = '20261125-openid-provider';

  override up(): void {
    this.addSql(statements);
  }
}

const statements = `
alter table app
  add column enabled boolean not null default true,
  add column initiate_login_url text,
  add column logo_url text,
  add column post_logout_redirect_uris text[] not null default '{}',
  add column backchannel_logout_url text,
  add column grant_types text[] not null default '{AUTHORIZATION_CODE,REFRESH_TOKEN}',
  add column client_authentication text not null default 'CLIENT_SECRET_BASIC',
  add column jwks jsonb,
  add column jwks_url text,
  add column signing_algorithm text not null default 'ES256',
  add column subject_type text not null default 'PUBLIC',
  add column access_token_lifetime_seconds int not null default 300,
  add column refresh_token_lifetime_days int not null default 14,
  add column second_factor_required boolean not null default false,
  add column consent_required boolean not null default false,
  add check (client_authentication in ('CLIENT_SECRET_BASIC', 'CLIENT_SECRET_POST', 'PRIVATE_KEY_JWT', 'NONE')),
  add check (signing_algorithm in ('ES256', 'RS256', 'EDDSA')),
  add check (subject_type in ('PUBLIC', 'PAIRWISE'));

-- What subjects and opaque claims of a tenant are derived from; unlike SECRET_KEYS it never changes.
create table tenant_salt (
  tenant_id text collate "C" not null,
  sealed_salt bytea not null,
  created_at timestamptz(3) not null,
  primary key (tenant_id),
  foreign key (tenant_id) references tenant (id)
);

create table signing_key (
  id text collate "C" not null,
  tenant_id text collate "C" not null,
  algorithm text collate "C" not null,
  public_jwk jsonb not null,
  sealed_private_jwk bytea not null,
  created_at timestamptz(3) not null,
  active_from timestamptz(3) not null,
  primary key (id),
  foreign key (tenant_id) references tenant (id),
  check (algorithm in ('ES256', 'RS256', 'EDDSA'))
);
create index signing_key_tenant on signing_key (tenant_id, algorithm, active_from);
-- The job that rotates walks all tenants.
create index signing_key_active on signing_key (active_from);

-- Codes, tokens, grants, sessions and interactions of the library, each under the hash of its id.
create table oidc_payload (
  tenant_id text collate "C" not null,
  model text collate "C" not null,
  id_hash bytea not null,
  sealed_payload bytea not null,
  app_id text collate "C",
  external_user_id text collate "C",
  grant_hash bytea,
  uid_hash bytea,
  user_code_hash bytea,
  consumed_at timestamptz(3),
  expires_at timestamptz(3) not null,
  primary key (tenant_id, model, id_hash),
  foreign key (tenant_id) references tenant (id),
  foreign key (tenant_id, app_id) references app (tenant_id, id) on delete cascade,
  foreign key (tenant_id, external_user_id) references external_user (tenant_id, id) on delete cascade
);
create index oidc_payload_grant on oidc_payload (tenant_id, grant_hash) where grant_hash is not null;
create index oidc_payload_uid on oidc_payload (tenant_id, uid_hash) where uid_hash is not null;
create index oidc_payload_user_code on oidc_payload (tenant_id, user_code_hash) where user_code_hash is not null;
create index oidc_payload_user on oidc_payload (tenant_id, external_user_id) where external_user_id is not null;
create index oidc_payload_app on oidc_payload (tenant_id, app_id) where app_id is not null;
create index oidc_payload_expires on oidc_payload (expires_at);
`;
