/** The redemption, with every step of a guest counted by how it ended: the funnel's faults show before anybody calls. */
import { UserError } from '../../kernel/errors.js';
import { LimitedRedemption } from './limited-redemption.service.js';
import type { RedemptionService } from './redemption.service.js';

/** @param outcome `ok`, a user error's code, `unrequested` for a sign-in that was started elsewhere, or `fault`. */
type Observe = (step: string, outcome: string) => void;

export class ObservedRedemption extends LimitedRedemption {
  readonly #observe: Observe;

  constructor(observe: Observe, ...options: ConstructorParameters<typeof LimitedRedemption>) {
    super(...options);
    this.#observe = observe;
  }

  override start(...given: Parameters<RedemptionService['start']>) {
    return this.#counted('start', () => super.start(...given));
  }

  override sendPasscode(...given: Parameters<RedemptionService['sendPasscode']>) {
    return this.#counted('send_passcode', () => super.sendPasscode(...given));
  }

  override provePasscode(...given: Parameters<RedemptionService['provePasscode']>) {
    return this.#counted('prove_passcode', () => super.provePasscode(...given));
  }

  override beginSignIn(...given: Parameters<RedemptionService['beginSignIn']>) {
    return this.#counted('begin_sign_in', () => super.beginSignIn(...given));
  }

  override finishSignIn(...given: Parameters<RedemptionService['finishSignIn']>) {
    return this.#counted(
      'finish_sign_in',
      () => super.finishSignIn(...given),
      ({ refusal }) => refusal ?? 'ok',
    );
  }

  override receiveAnswer(...given: Parameters<RedemptionService['receiveAnswer']>) {
    return this.#counted(
      'receive_answer',
      () => super.receiveAnswer(...given),
      (state) => (state === null ? 'unrequested' : 'ok'),
    );
  }

  override accept(...given: Parameters<RedemptionService['accept']>) {
    return this.#counted('accept', () => super.accept(...given));
  }

  override decline(...given: Parameters<RedemptionService['decline']>) {
    return this.#counted('decline', () => super.decline(...given));
  }

  override declineByLink(...given: Parameters<RedemptionService['declineByLink']>) {
    return this.#counted('decline', () => super.declineByLink(...given));
  }

  async #counted<T>(step: string, work: () => Promise<T>, outcomeOf: (result: T) => string = () => 'ok'): Promise<T> {
    try {
      const result = await work();
      this.#observe(step, outcomeOf(result));
      return result;
    } catch (error) {
      this.#observe(step, error instanceof UserError ? error.code : 'fault');
      throw error;
    }
  }
}
