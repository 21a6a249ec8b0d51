/**
 * A second factor shown in a session that lives already: before an app that asks for it, or before credentials are changed.
 * The session's token is replaced. Whether what was shown is right is decided by `credentials`.
 */
import { UserError } from '../../kernel/errors.js';
import type { RequestContext } from '../../request/request-context.js';
import { sessionBinding } from '../credentials/account-security.rules.js';
import type { PasskeysService } from '../credentials/passkeys.service.js';
import { amrOfFactor, type ShownFactor } from '../credentials/second-factor.rules.js';
import { type SecondFactors, secondFactorsOf } from '../credentials/second-factors.queries.js';
import type { SecondFactorsService } from '../credentials/second-factors.service.js';
import type { LiveSession, SessionsService } from './sessions.service.js';

export interface StepUpParts {
  sessions: SessionsService;
  secondFactors: SecondFactorsService;
  passkeys: PasskeysService;
}

export class StepUpService {
  readonly #parts: StepUpParts;

  constructor(parts: StepUpParts) {
    this.#parts = parts;
  }

  /** By what this person can confirm. */
  factorsOf(ctx: RequestContext, { externalUserId }: LiveSession): Promise<SecondFactors> {
    return secondFactorsOf(ctx.db, externalUserId);
  }

  passkeyOptions(ctx: RequestContext, session: LiveSession) {
    const { tenantId, externalUserId } = session;
    return this.#parts.passkeys.requestOptions(ctx, tenantId, externalUserId, sessionBinding(session));
  }

  /** @returns the session's new token. @throws UserError SECOND_FACTOR_WRONG, SECOND_FACTOR_LOCKED. */
  async confirmByCode(ctx: RequestContext, session: LiveSession, typed: string): Promise<string> {
    const shown = await this.#parts.secondFactors.confirm(ctx, session.tenantId, session.externalUserId, typed);
    if (shown instanceof UserError) throw shown;
    return this.shown(ctx, session, shown);
  }

  /** @returns the session's new token. @throws UserError PASSKEY_REFUSED. */
  async confirmByPasskey(ctx: RequestContext, session: LiveSession, answer: string): Promise<string> {
    const { tenantId, externalUserId } = session;
    await this.#parts.passkeys.use(ctx, tenantId, externalUserId, sessionBinding(session), answer);
    return this.shown(ctx, session, 'passkey');
  }

  /** Also right after a factor was set up, which shows it. @returns the session's new token. */
  shown(ctx: RequestContext, { id, tenantId }: LiveSession, factor: ShownFactor): Promise<string> {
    const elevation = { amr: amrOfFactor[factor], secondFactorAt: ctx.clock.now() };
    return ctx.transaction(tenantId, (tx) => this.#parts.sessions.elevate(tx, id, elevation));
  }
}
