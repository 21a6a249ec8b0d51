/** Somebody who was added without an invitation has signed in for the first time and agreed: an accepted user from now on. */

import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import { domainOf } from '../../kernel/email-address.js';
import { refuse } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import { type AddressPolicy, addressRefusal } from '../invitations/invitation-request.rules.js';
import { ADDED_DIRECTLY } from './guest.queries.js';
import type { SignInStep } from './sign-in-flow.js';

/**
 * @returns the identity that was linked.
 * @throws UserError OWN_DOMAIN, DOMAIN_BLOCKED, DOMAIN_NOT_ALLOWED, PROOF_REQUIRED when they do not wait for this proof any more,
 * IDENTITY_MISMATCH when somebody else has it by now.
 */
export async function acceptDirectly({ tx, now, flow }: SignInStep, externalUserId: string): Promise<string> {
  await checkAddressWelcome(tx, flow.emailKey);
  const { rows } = await sql<{ welcomed: boolean; identityId: string | null }>`
    with welcomed as (
      update external_user set state = 'ACCEPTED', state_changed_at = ${now},
        display_name = coalesce(display_name, ${flow.proofDisplayName})
      where id = ${externalUserId} and tenant_id = ${tx.tenantId} and account_enabled
        and state = 'PENDING_ACCEPTANCE' and creation_type = ${ADDED_DIRECTLY} and email_key = ${flow.proofEmailKey}
      returning id
    ),
    linked as (
      insert into identity (id, tenant_id, external_user_id, identity_provider_id, issuer, subject, sign_in_type, linked_at)
      select ${newId('Identity')}, ${tx.tenantId}, welcomed.id, ${flow.proofProviderId}, ${flow.proofIssuer},
        ${flow.proofSubject}, ${flow.proofKind}, ${now}
      from welcomed
      on conflict (tenant_id, identity_provider_id, issuer, subject) do nothing
      returning id
    )
    select exists (select from welcomed) as welcomed, (select id from linked) as "identityId"`.execute(tx.db);
  if (!rows[0]?.welcomed) throw refuse('PROOF_REQUIRED');
  if (rows[0].identityId === null) throw refuse('IDENTITY_MISMATCH');
  return rows[0].identityId;
}

/** What the tenant takes may have changed since the person was added. */
export async function checkAddressWelcome(tx: Tx, emailKey: string): Promise<void> {
  const { rows } = await sql<AddressPolicy>`
    select own_domains as "ownDomains", domain_rule as "domainRule", domain_patterns as "domainPatterns"
    from tenant where id = ${tx.tenantId}`.execute(tx.db);
  const refusal = rows[0] && addressRefusal(rows[0], domainOf(emailKey));
  if (refusal) throw refuse(refusal);
}
