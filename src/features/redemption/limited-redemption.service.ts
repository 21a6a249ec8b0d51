/**
 * The redemption, with limits on what a guest or a machine may do how often (by the network it comes from, by link, by
 * flow), and with refusals told to operators. How many mails an address and a tenant get is `mail-limits.service.ts`, how
 * many wrong codes a link takes `passcodes.service.ts`. The accept counts nothing of its own: what it takes, a flow and a
 * code, was counted when it was begun and sent.
 */
import { MINUTE } from '../../kernel/clock.js';
import { UserError } from '../../kernel/errors.js';
import type { Hit, RateLimit, RateLimits } from '../../request/rate-limits.js';
import type { RequestContext } from '../../request/request-context.js';
import { RedemptionService } from './redemption.service.js';
import { type Holder, tellRefusal } from './told-refusals.js';

/** A scanner that presses every button starts one flow each time; a person starts one or two. */
const startsOfLink: RateLimit = { name: 'link', most: 30, window: 10 * MINUTE };
/** Each asks the provider something, or sends the browser there. */
const signInsOfFlow: RateLimit = { name: 'sign-in', most: 20, window: 10 * MINUTE };

interface GuestStep {
  ctx: RequestContext;
  holder: Holder;
  /** What the guest wanted, for operators. */
  step: string;
  /** Null: nothing is counted. */
  hits: Hit[] | null;
}

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
    const hits = [{ limit: startsOfLink, of: token }];
    return this.#limited({ ctx, holder: { token }, step: 'Starting from the link.', hits }, () =>
      super.start(...given),
    );
  }

  override sendPasscode(...given: Parameters<RedemptionService['sendPasscode']>) {
    const [ctx, key] = given;
    return this.#limited({ ctx, holder: { key }, step: 'Sending a passcode.', hits: [] }, () =>
      super.sendPasscode(...given),
    );
  }

  override provePasscode(...given: Parameters<RedemptionService['provePasscode']>) {
    const [ctx, key] = given;
    return this.#limited({ ctx, holder: { key }, step: 'Entering a passcode.', hits: [] }, () =>
      super.provePasscode(...given),
    );
  }

  override beginSignIn(...given: Parameters<RedemptionService['beginSignIn']>) {
    const [ctx, key] = given;
    const hits = [{ limit: signInsOfFlow, of: 'flowId' in key ? key.flowId : key.handle }];
    return this.#limited({ ctx, holder: { key }, step: 'Signing in at a provider.', hits }, () =>
      super.beginSignIn(...given),
    );
  }

  override accept(...given: Parameters<RedemptionService['accept']>) {
    const [ctx, key] = given;
    return this.#limited({ ctx, holder: { key }, step: 'Accepting.', hits: null }, () => super.accept(...given));
  }

  override declineByLink(...given: Parameters<RedemptionService['declineByLink']>) {
    const [ctx, token] = given;
    const hits = [{ limit: startsOfLink, of: token }];
    return this.#limited({ ctx, holder: { token }, step: 'Declining.', hits }, () => super.declineByLink(...given));
  }

  async #limited<T>({ ctx, holder, step, hits }: GuestStep, work: () => Promise<T>): Promise<T> {
    try {
      if (hits) await this.#limits.admit(ctx, ...hits);
      return await work();
    } catch (error) {
      if (error instanceof UserError) await tellRefusal(ctx, holder, step, error);
      throw error;
    }
  }
}
