/**
 * The redemption, with limits on how often links are tried and begun (by network, by link), and with refusals told to
 * operators. Proving has limits of its own. The accept counts nothing: what it takes, a flow and a code, was counted when it
 * was begun and sent.
 */
import { MINUTE } from '../../kernel/clock.js';
import { UserError } from '../../kernel/errors.js';
import type { RateLimit, RateLimits } from '../../request/rate-limits.js';
import type { RequestContext } from '../../request/request-context.js';
import { RedemptionService } from './redemption.service.js';
import { type Holder, tellRefusal } from './told-refusals.js';

/** A scanner that presses every button starts one flow each time; a person starts one or two. */
const startsOfLink: RateLimit = { name: 'link', most: 30, window: 10 * MINUTE };

export class LimitedRedemption extends RedemptionService {
  readonly #limits: RateLimits;

  constructor(limits: RateLimits, ...options: ConstructorParameters<typeof RedemptionService>) {
    super(...options);
    this.#limits = limits;
  }

  /** Only what opens nothing counts: scanners open many good links from few addresses. @throws UserError RATE_LIMITED */
  override async view(...given: Parameters<RedemptionService['view']>) {
    const view = await super.view(...given);
    if (view.offer === null) await this.#limits.admit(given[0]);
    return view;
  }

  override start(...given: Parameters<RedemptionService['start']>) {
    const [ctx, token] = given;
    return told(ctx, { token }, 'Starting from the link.', async () => {
      await this.#limits.admit(ctx, { limit: startsOfLink, of: token });
      return super.start(...given);
    });
  }

  override sendPasscode(...given: Parameters<RedemptionService['sendPasscode']>) {
    const [ctx, key] = given;
    return told(ctx, { key }, 'Sending a passcode.', () => super.sendPasscode(...given));
  }

  override provePasscode(...given: Parameters<RedemptionService['provePasscode']>) {
    const [ctx, key] = given;
    return told(ctx, { key }, 'Entering a passcode.', () => super.provePasscode(...given));
  }

  override beginSignIn(...given: Parameters<RedemptionService['beginSignIn']>) {
    const [ctx, key] = given;
    return told(ctx, { key }, 'Signing in at a provider.', () => super.beginSignIn(...given));
  }

  override accept(...given: Parameters<RedemptionService['accept']>) {
    const [ctx, key] = given;
    return told(ctx, { key }, 'Accepting.', () => super.accept(...given));
  }

  override declineByLink(...given: Parameters<RedemptionService['declineByLink']>) {
    const [ctx, token] = given;
    return told(ctx, { token }, 'Declining.', async () => {
      await this.#limits.admit(ctx, { limit: startsOfLink, of: token });
      return super.declineByLink(...given);
    });
  }
}

/** @param step what the guest wanted, for operators. */
async function told<T>(ctx: RequestContext, holder: Holder, step: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof UserError) await tellRefusal(ctx, holder, step, error);
    throw error;
  }
}
