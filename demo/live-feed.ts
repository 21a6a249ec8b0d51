/** Contoso's feed as the administrator's screen gets it: every event once, at once, over the GraphQL subscription. */
import { within } from './deadline.js';
import type { GraphqlClient } from './graphql-client.js';

export interface RedemptionEvent {
  type: string;
  at: string;
  actor: { displayName: string } | null;
  reason: string | null;
  invitation: { email: string };
}

type FeedItem =
  | ({ __typename: 'RedemptionEvent' } & RedemptionEvent)
  | { __typename: 'FeedCheckpoint' }
  | { __typename: 'FeedLagged' };

const document = `subscription ($tenantId: ID!) {
  redemptionEvents(tenantId: $tenantId) {
    __typename
    ... on RedemptionEvent { type at actor { displayName } reason invitation { email } }
  }
}`;

const LIVE_SECONDS = 30;

export class LiveFeed {
  readonly events: RedemptionEvent[] = [];
  /** Milliseconds from what happened to knowing of it, for each event; both clocks are this machine's. */
  readonly delays: number[] = [];
  /** Never fulfils; rejects when the feed breaks off. */
  readonly failed: Promise<never>;
  readonly #onEvent: (event: RedemptionEvent) => void;
  readonly #live = Promise.withResolvers<void>();
  #waiting: (() => void)[] = [];

  constructor(graphql: GraphqlClient, tenantId: string, onEvent: (event: RedemptionEvent) => void) {
    this.#onEvent = onEvent;
    this.failed = this.#read(graphql, tenantId);
    this.failed.catch(() => undefined);
  }

  /** Whatever happens from now on will be seen. */
  untilLive(): Promise<void> {
    return within(LIVE_SECONDS, 'the feed to go live', Promise.race([this.#live.promise, this.failed]));
  }

  count(type: string, email?: string): number {
    return this.events.filter((event) => event.type === type && (!email || event.invitation.email === email)).length;
  }

  async untilSeen(type: string, { email, times = 1 }: { email?: string; times?: number }): Promise<void> {
    const seen = async () => {
      while (this.count(type, email) < times) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    };
    await within(LIVE_SECONDS, `${times} × ${type}${email ? ` of ${email}` : ''} in the feed`, seen());
  }

  async #read(graphql: GraphqlClient, tenantId: string): Promise<never> {
    for await (const item of graphql.follow<FeedItem>(document, { tenantId })) {
      if (item.__typename === 'RedemptionEvent') this.#take(item);
      // The first checkpoint says that what comes next is live.
      else if (item.__typename === 'FeedCheckpoint') this.#live.resolve();
      else throw new Error('The feed was too fast for the demo (FeedLagged).');
    }
    throw new Error('The feed ended.');
  }

  #take(event: RedemptionEvent): void {
    this.events.push(event);
    this.delays.push(Date.now() - Date.parse(event.at));
    this.#onEvent(event);
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
