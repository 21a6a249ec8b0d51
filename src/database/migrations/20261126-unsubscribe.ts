/** Who wants no more invitations of a tenant, and the way to say so: an address proven by a code sent to it. */
import { Migration } from '@mikro-orm/migrations';

export class Migration20261126Unsubscribe extends Migration {
  override name = '20261126-unsubscribe';

  override up(): void {
    this.addSql(statements);
  }
}

const statements = `
create table unsubscribed_recipient (
  tenant_id text collate "C" not null,
  email_key text collate "C" not null,
  email text not null,
  unsubscribed_at timestamptz(3) not null,
  primary key (tenant_id, email_key),
  foreign key (tenant_id) references tenant (id)
);
create index unsubscribed_recipient_at on unsubscribed_recipient (tenant_id, unsubscribed_at, email_key);

create table unsubscribe_flow (
  id text collate "C" not null,
  tenant_id text collate "C" not null,
  invitation_id text collate "C" not null,
  browser_hash bytea not null,
  code_hash bytea,
  sealed_code bytea,
  tries int not null,
  proven_at timestamptz(3),
  expires_at timestamptz(3) not null,
  primary key (id),
  foreign key (tenant_id, invitation_id) references invitation (tenant_id, id) on delete cascade
);
create index unsubscribe_flow_invitation on unsubscribe_flow (invitation_id);
create index unsubscribe_flow_expires on unsubscribe_flow (expires_at);
create index unsubscribe_flow_browser on unsubscribe_flow (browser_hash);
`;
