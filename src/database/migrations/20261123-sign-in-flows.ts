/** Flows that prove an address without an invitation: returning sign-in, a further identity, another address. */
import { Migration } from '@mikro-orm/migrations';

export class Migration20261123SignInFlows extends Migration {
  override name = '20261123-sign-in-flows';

  override up(): void {
    this.addSql(statements);
  }
}

const statements = `
alter table redemption_flow
  alter column invitation_id drop not null,
  alter column link_version drop not null,
  add column purpose text not null default 'REDEEM',
  -- What a flow without an invitation is about.
  add column email text,
  add column email_key text collate "C",
  add column language text,
  add column external_user_id text collate "C",
  add column session_id text collate "C",
  add column return_to text,
  -- The address that the proof covers; null: it is of an identity alone.
  add column proof_email_key text collate "C",
  add foreign key (tenant_id, external_user_id) references external_user (tenant_id, id) on delete cascade,
  add foreign key (tenant_id, session_id) references guest_session (tenant_id, id) on delete cascade,
  add check (purpose in ('REDEEM', 'SIGN_IN', 'LINK_IDENTITY', 'CHANGE_ADDRESS')),
  add check (case purpose when 'REDEEM' then num_nonnulls(invitation_id, link_version) = 2
    else invitation_id is null and num_nonnulls(email, email_key, language) = 3 end);
create index redemption_flow_session on redemption_flow (session_id) where session_id is not null;
create index redemption_flow_user on redemption_flow (external_user_id) where external_user_id is not null;

-- Wrong codes are counted for a link of an invitation, or for an address.
alter table passcode_failures add column counted_for text collate "C";
update passcode_failures set counted_for = invitation_id || '/' || link_version;
alter table passcode_failures drop constraint passcode_failures_pkey;
alter table passcode_failures
  alter column counted_for set not null,
  drop column invitation_id,
  drop column link_version,
  add primary key (tenant_id, counted_for),
  add foreign key (tenant_id) references tenant (id);
create index passcode_failures_window on passcode_failures (window_started_at);
`;
