/**
 * A local account as a proof in a flow: by password, or by a passkey. It counts only where routing offers it for the
 * address of the flow, and only for the account of that address. For an address without an account both fail as for one
 * with the wrong password or passkey.
 */
import { sql } from 'kysely';
import type { Db, Scope } from '../../database/transaction.js';
import { refuse, UserError } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import type { RequestContext } from '../../request/request-context.js';
import type { FlowPurpose } from '../proving/flow.entity.js';
import type { BrowserKey } from '../proving/flows.queries.js';
import type { Proof } from '../proving/proof.service.js';
import type { ProvingService } from '../proving/proving.service.js';
import { LOCAL_ISSUER, LOCAL_PROVIDER } from './local-identity.js';
import type { PasskeysService } from './passkeys.service.js';
import type { PasswordsService } from './passwords.service.js';
import { amrOfFactor } from './second-factor.rules.js';

export interface LocalProofParts {
  proving: ProvingService;
  passwords: PasswordsService;
  passkeys: PasskeysService;
}

export class LocalProofService {
  readonly #parts: LocalProofParts;

  constructor(parts: LocalProofParts) {
    this.#parts = parts;
  }

  /** @throws UserError PASSWORD_WRONG, PASSWORD_LOCKED, RATE_LIMITED; PROOF_REQUIRED when no local account is offered. */
  provePassword(ctx: RequestContext, purpose: FlowPurpose, key: BrowserKey, password: string): Promise<void> {
    return this.#parts.proving.proveLocally(ctx, purpose, key, async ({ tenantId, emailKey }) => {
      const account = await this.#parts.passwords.verify(ctx, tenantId, emailKey, password);
      if (account instanceof UserError) throw account;
      return proofOf(emailKey, { amr: ['pwd'], isMultiFactor: false });
    });
  }

  /** What the browser looks for. Names no passkey: the page is shown to whoever types the address. Reads only. */
  passkeyOptions(ctx: RequestContext, tenantId: string, key: BrowserKey) {
    return this.#parts.passkeys.requestOptions(ctx, tenantId, null, signInBinding(key));
  }

  /** A passkey is two factors: it is had, and it wants the person. @throws UserError PASSKEY_REFUSED, PROOF_REQUIRED. */
  provePasskey(ctx: RequestContext, purpose: FlowPurpose, key: BrowserKey, answer: string): Promise<void> {
    return this.#parts.proving.proveLocally(ctx, purpose, key, async ({ tenantId, emailKey }) => {
      const { externalUserId } = await this.#parts.passkeys.use(ctx, tenantId, null, signInBinding(key), answer);
      const user = { tenantId, externalUserId, emailKey };
      await ctx.oneStatement(tenantId, (scope) => linkAtFirstUse(scope, user, ctx.clock.now()));
      if (!(await hasLocalIdentity(ctx.db, user)))
        throw refuse('PASSKEY_REFUSED', { detail: 'of another account than that of the address' });
      return proofOf(emailKey, { amr: amrOfFactor.passkey, isMultiFactor: true });
    });
  }
}

function proofOf(emailKey: string, how: Pick<Proof, 'amr' | 'isMultiFactor'>): Proof {
  const identity = { providerId: LOCAL_PROVIDER, issuer: LOCAL_ISSUER, subject: emailKey };
  return { kind: 'LOCAL', ...identity, displayName: null, emailKey, ...how };
}

interface LocalUser {
  tenantId: string;
  externalUserId: string;
  emailKey: string;
}

/** A passkey that was set up as a second factor signs in as well, from the first time it is used so. */
async function linkAtFirstUse(
  { db }: Scope,
  { tenantId, externalUserId, emailKey }: LocalUser,
  now: Date,
): Promise<void> {
  await sql`
    insert into identity (id, tenant_id, external_user_id, identity_provider_id, issuer, subject, sign_in_type, linked_at)
    select ${newId('Identity')}, u.tenant_id, u.id, ${LOCAL_PROVIDER}, ${LOCAL_ISSUER}, u.email_key, 'LOCAL', ${now}::timestamptz
    from external_user u
    where u.id = ${externalUserId} and u.tenant_id = ${tenantId} and u.email_key = ${emailKey} and u.state = 'ACCEPTED'
    on conflict (tenant_id, identity_provider_id, issuer, subject) do nothing`.execute(db);
}

async function hasLocalIdentity(db: Db, { tenantId, externalUserId, emailKey }: LocalUser): Promise<boolean> {
  const { rows } = await sql`
    select from identity
    where tenant_id = ${tenantId} and identity_provider_id = ${LOCAL_PROVIDER} and issuer = ${LOCAL_ISSUER}
      and subject = ${emailKey} and external_user_id = ${externalUserId}`.execute(db);
  return rows.length > 0;
}

/** Another than that of a second factor in the same flow, so that one answer does not serve for both. */
function signInBinding({ flowId }: BrowserKey): string {
  return `flow-sign-in/${flowId}`;
}
