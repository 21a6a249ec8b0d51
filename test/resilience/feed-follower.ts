/** A subscriber of a tenant's feed at a gateway process, as a dashboard is one. */
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { type GatewayProcess, KEY } from './gateway-process.js';

export interface FeedFollower {
  /** Cursors of the events so far, in the order they came. */
  cursors: string[];
  /** Of the first checkpoint: from then on nothing is missed. */
  caughtUp: Promise<string>;
  /** Code of the close; undefined while the socket is open. */
  closed(): number | undefined;
  leave(): Promise<void>;
}

export function followFeed({ url }: GatewayProcess, tenantId: string, after: string | null = null): FeedFollower {
  let closed: number | undefined;
  const cursors: string[] = [];
  const caughtUp = Promise.withResolvers<string>();
  const client = createClient({
    url: `${url.replace('http', 'ws')}graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${KEY}` },
    retryAttempts: 0,
    on: {
      closed: (event) => {
        closed = (event as { code: number }).code;
      },
    },
  });
  client.subscribe<{ redemptionEvents: { __typename: string; cursor: string } }>(
    {
      query: `subscription ($tenantId: ID!, $after: String) { redemptionEvents(tenantId: $tenantId, after: $after) {
        __typename ... on RedemptionEvent { cursor } ... on FeedCheckpoint { cursor }
      } }`,
      variables: { tenantId, after },
    },
    {
      next: ({ data }) => {
        if (data?.redemptionEvents.__typename === 'RedemptionEvent') cursors.push(data.redemptionEvents.cursor);
        else caughtUp.resolve(data?.redemptionEvents.cursor ?? '');
      },
      error: (error) => caughtUp.reject(error),
      complete: () => undefined,
    },
  );
  return { cursors, caughtUp: caughtUp.promise, closed: () => closed, leave: async () => client.dispose() };
}
