/**
 * Proving, with limits on how often it is tried, whatever it is for: by the network it comes from and by flow. How many mails
 * an address and a tenant get is counted by `admitMail`, how many wrong codes an address takes in `passcodes.service.ts`.
 */
import { MINUTE } from '../../kernel/clock.js';
import type { RateLimit, RateLimits } from '../../request/rate-limits.js';
import { ProvingService } from './proving.service.js';

/** Each asks the provider something, or sends the browser there. */
const signInsOfFlow: RateLimit = { name: 'sign-in', most: 20, window: 10 * MINUTE };

export class LimitedProving extends ProvingService {
  readonly #limits: RateLimits;

  constructor(limits: RateLimits, ...options: ConstructorParameters<typeof ProvingService>) {
    super(...options);
    this.#limits = limits;
  }

  override async sendPasscode(...given: Parameters<ProvingService['sendPasscode']>) {
    await this.#limits.admit(given[0]);
    return super.sendPasscode(...given);
  }

  override async provePasscode(...given: Parameters<ProvingService['provePasscode']>) {
    await this.#limits.admit(given[0]);
    return super.provePasscode(...given);
  }

  override async proveLocally(...given: Parameters<ProvingService['proveLocally']>) {
    await this.#limits.admit(given[0]);
    return super.proveLocally(...given);
  }

  override async beginSignIn(...given: Parameters<ProvingService['beginSignIn']>) {
    const [ctx, , key] = given;
    await this.#limits.admit(ctx, { limit: signInsOfFlow, of: 'flowId' in key ? key.flowId : key.handle });
    return super.beginSignIn(...given);
  }
}
