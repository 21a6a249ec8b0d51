/** What a purpose of proving brings along, so that codes, limits, states and callbacks are the same for all of them. */
import type { UserErrorCode } from '../../kernel/errors.js';
import type { RequestContext } from '../../request/request-context.js';
import type { ProvenIdentity } from '../identity-providers/connector.port.js';
import type { FlowKey, ProvingFlow } from './flows.queries.js';
import type { Method } from './methods.rules.js';
import type { ProofStep } from './proof-step.service.js';

export interface ProvingGround {
  /** What is to be proven now. @throws UserError when the flow is over, or nothing is left to prove in it. */
  look(ctx: RequestContext, key: FlowKey): Promise<UnderProof>;
  /** A transaction in which the flow was locked and read again. @throws UserError when it is over. */
  inStep<T>(ctx: RequestContext, key: FlowKey, work: (step: ProofStep) => Promise<T>): Promise<T>;
  /** @throws UserError when nothing is left to prove in it. */
  checkOpen(step: ProofStep): void;
  /**
   * Why what a provider vouched for proves nothing here; null: it does.
   * @param addressRefusal why it does not prove the address; null: it does.
   */
  judge(
    step: ProofStep,
    identity: ProvenIdentity & { providerId: string },
    addressRefusal: UserErrorCode | null,
  ): Promise<UserErrorCode | null>;
}

export interface UnderProof {
  flow: ProvingFlow;
  email: string;
  methods: Method[];
}
