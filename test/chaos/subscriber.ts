/** Follows a tenant's feed for as long as it may, over whichever gateway answers, and keeps every event it is told. */
import { setTimeout as wait } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { KEY } from '../resilience/gateway-process.js';

export interface Told {
  id: string;
  type: string;
  cursor: string;
  invitationId: string;
}

export interface Subscriber {
  name: string;
  tenantId: string;
  /** Told so far, by connection. */
  connections: Told[][];
  stop(): Promise<void>;
}

const FEED = `subscription ($tenantId: ID!, $after: String) { redemptionEvents(tenantId: $tenantId, after: $after) {
  __typename ... on RedemptionEvent { id type cursor invitation { id } } ... on FeedCheckpoint { cursor } ... on FeedLagged { resumeAfter }
} }`;

const RECONNECT_MILLISECONDS = 300;
/** Checkpoints come every five seconds; a connection that says nothing for longer is dead, whatever TCP thinks. */
const SILENCE_MILLISECONDS = 12_000;

/** One that is given up before it was open says so by an event, which nobody needs. */
class PatientWebSocket extends WebSocket {
  constructor(url: string, protocols?: string | string[]) {
    super(url, protocols);
    this.on('error', () => undefined);
  }
}

interface Item {
  redemptionEvents: {
    __typename: 'RedemptionEvent' | 'FeedCheckpoint' | 'FeedLagged';
    id: string;
    type: string;
    cursor: string;
    resumeAfter: string;
    invitation: { id: string };
  };
}

/** From the beginning of the feed; `url()` is asked for every connection. */
export function subscribe(name: string, url: () => string, tenantId: string): Subscriber {
  const connections: Told[][] = [];
  const stopping = new AbortController();
  let after = 'START';

  const followOnce = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const told: Told[] = [];
      let ended = false;
      connections.push(told);
      const client = createClient({
        url: `${url().replace('http', 'ws')}/graphql`,
        webSocketImpl: PatientWebSocket,
        connectionParams: { authorization: `Bearer ${KEY}` },
        retryAttempts: 0,
      });
      const end = () => {
        ended = true;
        clearTimeout(silence);
        void client.terminate();
        resolve();
      };
      const silence = setTimeout(end, SILENCE_MILLISECONDS);
      signal.addEventListener('abort', end, { once: true });
      client.subscribe<Item>(
        { query: FEED, variables: { tenantId, after } },
        {
          next: ({ data, errors }) => {
            // What comes after the end was given up would be told again.
            if (ended) return;
            // An event that could not be put together is asked for again, from the last one that was.
            if (!data || errors) return end();
            silence.refresh();
            const { __typename, id, type, cursor, resumeAfter, invitation } = data.redemptionEvents;
            after = __typename === 'FeedLagged' ? resumeAfter : cursor;
            if (__typename === 'RedemptionEvent') told.push({ id, type, cursor, invitationId: invitation.id });
          },
          error: end,
          complete: end,
        },
      );
    });

  const follow = async () => {
    while (!stopping.signal.aborted) {
      const connection = new AbortController();
      await followOnce(AbortSignal.any([connection.signal, stopping.signal]));
      connection.abort();
      await wait(RECONNECT_MILLISECONDS, undefined, stopping).catch(() => undefined);
    }
  };
  const following = follow();
  return {
    name,
    tenantId,
    connections,
    async stop() {
      stopping.abort();
      await following;
    },
  };
}
