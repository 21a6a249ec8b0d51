/**
 * One subscription of one socket: alone until it has caught up, then in the group of those who asked for the same. Each event
 * is resolved in a context of its own, so that nothing loaded for one event is answered for the next.
 */
import { setTimeout as wait } from 'node:timers/promises';
import {
  createSourceEventStream,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  getOperationAST,
  Kind,
} from 'graphql';
import { isOutage } from '../../database/outage.js';
import type { Actor } from '../../kernel/actor.js';
import { inNewScope, type ScopeFacts } from '../../kernel/scope.js';
import { isShareable, type ShareableStream } from '../../kernel/shareable-stream.js';
import type { Tracing } from '../../kernel/tracing.js';
import { type Ground, RequestContext } from '../../request/request-context.js';
import type { GroupSocket, SharedSubscriptions } from './shared-subscriptions.js';
import { published } from './socket-errors.js';

/** A subscription that was admitted, as graphql-ws hands it back to be run. */
export interface PreparedSubscription extends ExecutionArgs {
  contextValue: RequestContext;
  /** Its id on its socket. */
  id: string;
  socket: GroupSocket;
  /** Same rights, document and variables: same key. */
  shareKey: string;
}

export interface SubscriptionParts {
  ground: Ground;
  groups: SharedSubscriptions;
  /** Null: off. */
  tracing: Tracing | null;
}

/** @returns the stream, or the errors that refuse it */
export async function subscribe(
  parts: SubscriptionParts,
  prepared: PreparedSubscription,
): Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult> {
  const facts = factsOf(prepared);
  const source = await inNewScope(null, 'subscribe', {}, facts, async () => createSourceEventStream(prepared));
  if (!(Symbol.asyncIterator in source)) return source;
  return new Subscription(parts, prepared, facts, source[Symbol.asyncIterator]() as AsyncIterator<unknown>);
}

function factsOf({ document, operationName, contextValue: { actor } }: PreparedSubscription): ScopeFacts {
  const field = getOperationAST(document, operationName)?.selectionSet.selections[0];
  return {
    operation: field?.kind === Kind.FIELD ? field.name.value : 'unknown',
    ...(actor.tenantId !== null && { tenant: actor.tenantId }),
  };
}

const done: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** Not an async generator: its `return` would stay pending until the next event. */
class Subscription implements AsyncIterableIterator<ExecutionResult> {
  readonly #parts: SubscriptionParts;
  readonly #prepared: PreparedSubscription;
  readonly #facts: ScopeFacts;
  readonly #source: AsyncIterator<unknown>;
  #hasEnded = false;
  /** While in a group. */
  #leaveGroup: (() => void) | null = null;

  constructor(
    parts: SubscriptionParts,
    prepared: PreparedSubscription,
    facts: ScopeFacts,
    source: AsyncIterator<unknown>,
  ) {
    this.#parts = parts;
    this.#prepared = prepared;
    this.#facts = facts;
    this.#source = source;
  }

  async next(): Promise<IteratorResult<ExecutionResult>> {
    if (this.#hasEnded) return done;
    const source = this.#source;
    if (isShareable(source) && source.handOver()) return this.#goOnTogether(source);
    try {
      const item = await source.next();
      if (item.done || this.#hasEnded) return done;
      const value = await this.#executeAlone(item.value);
      return this.#hasEnded ? done : { done: false, value };
    } catch (error) {
      // Whoever iterates does not call `return` after a failure.
      await this.return();
      throw error;
    }
  }

  async return(): Promise<IteratorResult<ExecutionResult>> {
    this.#hasEnded = true;
    this.#leaveGroup?.();
    await this.#source.return?.();
    return done;
  }

  async throw(error: unknown): Promise<IteratorResult<ExecutionResult>> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Nothing comes from here then, until there is a last thing to say or nothing more. */
  #goOnTogether(stream: ShareableStream<unknown>): Promise<IteratorResult<ExecutionResult>> {
    const { id, socket, shareKey } = this.#prepared;
    const ended = Promise.withResolvers<IteratorResult<ExecutionResult>>();
    const onLag = (notice: unknown) => {
      ended.resolve(this.#executeAlone(notice).then((value) => ({ done: false, value })));
      this.#hasEnded = true;
    };
    const onEnd = (fault?: Error) => (fault ? ended.reject(fault) : ended.resolve(done));
    const leave = this.#parts.groups.join(shareKey, { id, socket, stream, onLag, onEnd }, this.#publisher());
    this.#leaveGroup = () => {
      leave();
      ended.resolve(done);
    };
    return ended.promise;
  }

  /** It may outlive this subscription: it holds nothing of the socket. */
  #publisher(): (item: unknown) => Promise<string> {
    const [parts, facts] = [this.#parts, this.#facts];
    const { schema, document, variableValues, operationName, contextValue } = this.#prepared;
    const args = { schema, document, variableValues, operationName } as ExecutionArgs;
    const actor = whatMembersShare(contextValue.actor);
    return async (item) =>
      JSON.stringify(published(parts.ground, await executeItem(parts, { ...args, rootValue: item }, facts, actor)));
  }

  #executeAlone(item: unknown): Promise<ExecutionResult> {
    const { actor } = this.#prepared.contextValue;
    return executeItem(this.#parts, { ...this.#prepared, rootValue: item }, this.#facts, actor);
  }
}

/** An item whose answer met an outage of the database is asked again; those after it wait, so that nobody gets half of it. */
const OUTAGE_TRIES = 30;
const RETRY_MILLISECONDS = 1000;

async function executeItem(
  parts: SubscriptionParts,
  args: ExecutionArgs,
  facts: ScopeFacts,
  actor: Actor,
): Promise<ExecutionResult> {
  let result = await executeOnce(parts, args, facts, actor);
  for (let tries = 1; tries < OUTAGE_TRIES && metOutage(result); tries++) {
    await wait(RETRY_MILLISECONDS);
    result = await executeOnce(parts, args, facts, actor);
  }
  return result;
}

function metOutage({ errors = [] }: ExecutionResult): boolean {
  return errors.some(({ originalError }) => isOutage(originalError));
}

async function executeOnce(
  { ground, tracing }: SubscriptionParts,
  args: ExecutionArgs,
  facts: ScopeFacts,
  actor: Actor,
): Promise<ExecutionResult> {
  const attributes = { 'graphql.operation.type': 'subscription', 'graphql.operation.name': facts.operation };
  const contextValue = new RequestContext(ground, actor);
  return inNewScope(tracing, `subscription ${facts.operation}`, { attributes }, { ...facts }, async () =>
    execute({ ...args, contextValue }),
  );
}

/** Nothing in a shared answer can depend on who one of them is. */
function whatMembersShare({ kind, tenantId, permissions }: Actor): Actor {
  return { kind, tenantId, permissions, id: null, displayName: 'subscribers', expiresAt: null };
}
