/** Answers of identity providers, each counted by how it ended: a provider's faults show before anybody calls. */
import { UserError } from '../../kernel/errors.js';
import { LimitedProving } from './limited-proving.service.js';

/** @param outcome `ok`, a user error's code, `unrequested` for a sign-in that was started elsewhere, or `fault`. */
export type Observe = (step: string, outcome: string) => void;

export class ObservedProving extends LimitedProving {
  readonly #observe: Observe;

  constructor(observe: Observe, ...options: ConstructorParameters<typeof LimitedProving>) {
    super(...options);
    this.#observe = observe;
  }

  override proveLocally(...given: Parameters<LimitedProving['proveLocally']>) {
    return counted(this.#observe, 'prove_locally', () => super.proveLocally(...given));
  }

  override finishSignIn(...given: Parameters<LimitedProving['finishSignIn']>) {
    return counted(
      this.#observe,
      'finish_sign_in',
      () => super.finishSignIn(...given),
      ({ refusal }) => refusal ?? 'ok',
    );
  }

  override receiveAnswer(...given: Parameters<LimitedProving['receiveAnswer']>) {
    return counted(
      this.#observe,
      'receive_answer',
      () => super.receiveAnswer(...given),
      (state) => (state === null ? 'unrequested' : 'ok'),
    );
  }
}

export async function counted<T>(
  observe: Observe,
  step: string,
  work: () => Promise<T>,
  outcomeOf: (result: T) => string = () => 'ok',
): Promise<T> {
  try {
    const result = await work();
    observe(step, outcomeOf(result));
    return result;
  } catch (error) {
    observe(step, error instanceof UserError ? error.code : 'fault');
    throw error;
  }
}
