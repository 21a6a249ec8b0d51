/** The redemption, with every step of a guest counted by how it ended: the funnel's faults show before anybody calls. */
import { counted, type Observe } from '../proving/observed-proving.service.js';
import { LimitedRedemption } from './limited-redemption.service.js';
import type { RedemptionService } from './redemption.service.js';

export class ObservedRedemption extends LimitedRedemption {
  readonly #observe: Observe;

  constructor(observe: Observe, ...options: ConstructorParameters<typeof LimitedRedemption>) {
    super(...options);
    this.#observe = observe;
  }

  override start(...given: Parameters<RedemptionService['start']>) {
    return counted(this.#observe, 'start', () => super.start(...given));
  }

  override sendPasscode(...given: Parameters<RedemptionService['sendPasscode']>) {
    return counted(this.#observe, 'send_passcode', () => super.sendPasscode(...given));
  }

  override provePasscode(...given: Parameters<RedemptionService['provePasscode']>) {
    return counted(this.#observe, 'prove_passcode', () => super.provePasscode(...given));
  }

  override beginSignIn(...given: Parameters<RedemptionService['beginSignIn']>) {
    return counted(this.#observe, 'begin_sign_in', () => super.beginSignIn(...given));
  }

  override accept(...given: Parameters<RedemptionService['accept']>) {
    return counted(this.#observe, 'accept', () => super.accept(...given));
  }

  override decline(...given: Parameters<RedemptionService['decline']>) {
    return counted(this.#observe, 'decline', () => super.decline(...given));
  }

  override declineByLink(...given: Parameters<RedemptionService['declineByLink']>) {
    return counted(this.#observe, 'decline', () => super.declineByLink(...given));
  }
}
