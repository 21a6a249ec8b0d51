/**
 * A guest's own account: identities, address, sessions, name and language. How one signs in is changed only right after a
 * sign-in, with the second factor of whoever has one; passwords and factors themselves are `credentials`.
 */
import { sql } from 'kysely';
import { parseEmailAddress } from '../../kernel/email-address.js';
import { refuse } from '../../kernel/errors.js';
import type { Language } from '../../kernel/languages.js';
import type { RequestContext } from '../../request/request-context.js';
import { Validation } from '../../request/validation.js';
import { proofDue } from '../credentials/account-security.rules.js';
import { secondFactorsOf } from '../credentials/second-factors.queries.js';
import { type AccountIdentity, type AccountSession, accountIdentities, accountSessions } from './account.queries.js';
import { loadSignedInGuest, type SignedInGuest } from './apps-page.queries.js';
import type { DeparturesService } from './departures.service.js';
import { unlinkIdentity } from './identity-changes.js';
import type { LiveSession, SessionsService } from './sessions.service.js';
import { beginChange } from './sign-in-flow.js';

export interface Account {
  guest: SignedInGuest;
  identities: AccountIdentity[];
  sessions: AccountSession[];
  /** What has to be shown once more before anything about signing in is changed; null: nothing. */
  due: 'SIGN_IN' | 'SECOND_FACTOR' | null;
}

export type AddressChange = 'LINK_IDENTITY' | 'CHANGE_ADDRESS';

export interface NewChange {
  purpose: AddressChange;
  /** Of the other account, or the new one; as typed. */
  address: string;
  language: Language;
  browserToken: string;
  returnTo: string;
}

export class AccountService {
  readonly #sessions: SessionsService;
  readonly #departures: DeparturesService;

  constructor(sessions: SessionsService, departures: DeparturesService) {
    this.#sessions = sessions;
    this.#departures = departures;
  }

  async view(ctx: RequestContext, session: LiveSession): Promise<Account> {
    const now = ctx.clock.now();
    return {
      guest: await loadSignedInGuest(ctx.db, session),
      identities: await accountIdentities(ctx.db, session),
      sessions: await accountSessions(ctx.db, this.#sessions, session, now),
      due: proofDue(session, await secondFactorsOf(ctx.db, session.externalUserId), now),
    };
  }

  /** @throws UserError with what is wrong at `displayName` or `preferredLanguage`. */
  async updateProfile(
    ctx: RequestContext,
    { tenantId, externalUserId }: LiveSession,
    typed: { displayName: string; preferredLanguage: string },
  ): Promise<void> {
    const valid = new Validation();
    const displayName = typed.displayName.trim() ? valid.name(typed.displayName, 'displayName') : null;
    const language = typed.preferredLanguage ? valid.language(typed.preferredLanguage, 'preferredLanguage') : null;
    valid.done();
    await ctx.transaction(tenantId, ({ db }) =>
      sql`
        update external_user set display_name = ${displayName}, preferred_language = ${language}
        where id = ${externalUserId} and tenant_id = ${tenantId}`.execute(db),
    );
  }

  /**
   * The flow in which the other side is proven.
   * @returns its id.
   * @throws UserError ADDRESS_INVALID, PROOF_REQUIRED, SECOND_FACTOR_REQUIRED.
   */
  async beginChange(ctx: RequestContext, session: LiveSession, { address, ...change }: NewChange): Promise<string> {
    await this.#checkFresh(ctx, session);
    const email = parseEmailAddress(address);
    if (!email) throw refuse('ADDRESS_INVALID', { field: ['email'] });
    if (change.purpose === 'CHANGE_ADDRESS') await checkAddressProven(ctx, session);
    return beginChange(ctx, { ...change, session, email: email.address, emailKey: email.key });
  }

  /** @throws UserError NOT_FOUND, LAST_IDENTITY, PROOF_REQUIRED, SECOND_FACTOR_REQUIRED. */
  async unlink(ctx: RequestContext, session: LiveSession, identityId: string): Promise<void> {
    await this.#checkFresh(ctx, session);
    await ctx.transaction(session.tenantId, async (tx) => {
      await this.#sessions.hold(tx, session);
      await unlinkIdentity(tx, this.#sessions, session, identityId);
    });
  }

  /** One of the guest's own; another's is as unknown as none. */
  endSession(ctx: RequestContext, { tenantId, externalUserId }: LiveSession, sessionId: string): Promise<void> {
    return ctx.transaction(tenantId, (tx) => this.#sessions.endOneOf(tx, externalUserId, sessionId, 'ENDED'));
  }

  endAllSessions(ctx: RequestContext, { tenantId, externalUserId }: LiveSession): Promise<void> {
    return ctx.transaction(tenantId, (tx) => this.#sessions.endAllOf(tx, externalUserId, 'SIGNED_OUT'));
  }

  /** Out everywhere; the organisation can restore the account for 30 days. @throws UserError PROOF_REQUIRED, SECOND_FACTOR_REQUIRED. */
  async leave(ctx: RequestContext, session: LiveSession): Promise<void> {
    await this.#checkFresh(ctx, session);
    await this.#departures.leave(ctx, session);
  }

  /** @throws UserError PROOF_REQUIRED, SECOND_FACTOR_REQUIRED. */
  async #checkFresh(ctx: RequestContext, session: LiveSession): Promise<void> {
    const due = proofDue(session, await secondFactorsOf(ctx.db, session.externalUserId), ctx.clock.now());
    if (due !== null) throw refuse(due === 'SIGN_IN' ? 'PROOF_REQUIRED' : 'SECOND_FACTOR_REQUIRED');
  }
}

/**
 * The sign-in of this session proved the present address: a session of another identity does not show that its owner still
 * has the mailbox.
 */
async function checkAddressProven(ctx: RequestContext, { id, tenantId }: LiveSession): Promise<void> {
  const { rows } = await sql`
    select from guest_session s join external_user u on u.id = s.external_user_id and u.email_key = s.proven_email_key
    where s.id = ${id} and s.tenant_id = ${tenantId}`.execute(ctx.db);
  if (rows.length === 0) throw refuse('PROOF_REQUIRED', { message: 'Sign in with your present address first.' });
}
