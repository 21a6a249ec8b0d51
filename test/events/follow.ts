/** Follows a tenant's feed over a socket of its own and keeps what comes. */
import type { Client } from 'graphql-ws';
import { comparePlaces, type FeedPlace } from '../../src/events/feed-place.js';
import type { TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';

export interface FeedEventSeen {
  id: string;
  cursor: string;
  type: string;
  invitation: { id: string } | null;
}

export interface Following {
  events: FeedEventSeen[];
  /** Cursors of the checkpoints. */
  checkpoints: string[];
  /** Where to resume, once the stream has ended by lagging. */
  lagged: string | null;
  /** GraphQL errors the subscription answered. */
  errors: unknown[];
  done: boolean;
  client: Client;
  stop(): Promise<void>;
}

export interface FollowOptions {
  tenantId: string;
  after?: string | null;
  filter?: object;
  key?: string;
}

const SUBSCRIPTION = `subscription ($tenantId: ID!, $after: String, $filter: RedemptionEventFilter) {
  redemptionEvents(tenantId: $tenantId, after: $after, filter: $filter) {
    __typename
    ... on RedemptionEvent { id cursor type invitation { id } }
    ... on FeedCheckpoint { cursor }
    ... on FeedLagged { resumeAfter }
  }
}`;

interface Item {
  redemptionEvents: { __typename: string; cursor: string; resumeAfter: string } & FeedEventSeen;
}

/** Resolves once it has caught up, or has ended. */
export async function follow(
  gateway: TestGateway,
  { key = gateway.bootstrapKey, ...variables }: FollowOptions,
): Promise<Following> {
  const client = gateway.socket(`Bearer ${key}`);
  const following: Following = {
    events: [],
    checkpoints: [],
    lagged: null,
    errors: [],
    done: false,
    client,
    stop: async () => client.dispose(),
  };
  const end = () => {
    following.done = true;
  };
  client.subscribe<Item>(
    { query: SUBSCRIPTION, variables },
    {
      next: ({ data, errors }) => {
        if (errors) following.errors.push(...errors);
        if (data) keep(following, data.redemptionEvents);
      },
      error: (error) => {
        if (Array.isArray(error)) following.errors.push(...error);
        end();
      },
      complete: end,
    },
  );
  await until(() => following.checkpoints.length > 0 || following.done, 'the feed to catch up');
  return following;
}

function keep(following: Following, { __typename, resumeAfter, ...event }: Item['redemptionEvents']): void {
  if (__typename === 'RedemptionEvent') following.events.push(event);
  else if (__typename === 'FeedCheckpoint') following.checkpoints.push(event.cursor);
  else following.lagged = resumeAfter;
}

/** Until the tail of the process has handed out all that is written: then "now" is the same for every reader. */
export async function tailToPass(gateway: TestGateway): Promise<void> {
  const [last] = await gateway.sql<FeedPlace>(
    'select e.epoch, e.xid, e.seq from event e order by e.epoch desc, e.xid desc, e.seq desc limit 1',
  );
  if (last)
    await until(() => comparePlaces(gateway.app.ground.feed.position, last) >= 0, 'the tail to pass what is written');
}
