/** Presets of OpenID Connect providers, keys of ours towards them, and which domains are organisations of Entra. */
import { Migration } from '@mikro-orm/migrations';

export class Migration20261122OpenIdConnectPresets extends Migration {
  override name = '20261122-openid-connect-presets';

  override up(): void {
    this.addSql(statements);
  }
}

const statements = `
alter table identity_provider
  add column preset text not null default 'GENERIC',
  add column client_authentication text not null default 'NONE',
  add column sealed_client_key bytea,
  add column client_public_key jsonb,
  add check (preset in ('GENERIC', 'ENTRA', 'ENTRA_ANY_ORGANIZATION', 'GOOGLE', 'MICROSOFT_PERSONAL')),
  add check (client_authentication in ('SECRET', 'PRIVATE_KEY', 'NONE')),
  add check ((sealed_client_key is null) = (client_public_key is null));
update identity_provider set client_authentication = 'SECRET' where sealed_client_secret is not null;
-- Few; asked at every step of every guest.
create index identity_provider_preset on identity_provider (tenant_id, created_at, id) where preset not in ('GENERIC', 'ENTRA');

create table entra_organization (
  identity_provider_id text collate "C" not null,
  domain text collate "C" not null,
  tenant_id text collate "C" not null,
  issuer text,
  checked_at timestamptz(3) not null,
  primary key (identity_provider_id, domain),
  foreign key (tenant_id, identity_provider_id) references identity_provider (tenant_id, id) on delete cascade
);
create index entra_organization_checked on entra_organization (checked_at);
`;
