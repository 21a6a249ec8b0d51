/** Who reads too slowly is told where to resume and ends; who reads as it should notices nothing. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import WebSocket from 'ws';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';
import { tailToPass } from './follow.js';

const EVENTS = 2000;
/** So that they are more than the kernel keeps for a socket nobody reads. */
const DETAIL_BYTES = 8000;
/** Less than a socket may leave unread, so that who reads cannot lag however busy the machine is. */
const BURST = 100;

let gateway: TestGateway;
let tenantId: string;
let invitationId: string;
const sockets: WebSocket[] = [];

beforeAll(async () => {
  gateway = await startTestGateway();
  tenantId = (await gateway.createTenant()).id;
  invitationId = (await gateway.inviteUser({ tenantId, email: 'guest@fabrikam.example', sendMail: false })).id;
  await tailToPass(gateway);
});
afterAll(async () => {
  for (const socket of sockets) socket.terminate();
  await gateway.stop();
});

interface Reader {
  socket: WebSocket;
  /** Sequence numbers of the events, in the order they came. */
  events: number[];
  /** Cursor of FeedLagged. */
  resumeAfter: string | null;
  isCaughtUp: boolean;
  isComplete: boolean;
}

/** A socket without a library that would read on by itself. */
async function read(after: string | null = null): Promise<Reader> {
  const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  sockets.push(socket);
  const reader: Reader = { socket, events: [], resumeAfter: null, isCaughtUp: false, isComplete: false };
  socket.on('open', () =>
    send({ type: 'connection_init', payload: { authorization: `Bearer ${gateway.bootstrapKey}` } }),
  );
  socket.on('message', (text) => hear(JSON.parse(String(text))));
  const send = (message: object) => socket.send(JSON.stringify(message));
  const query = `subscription ($after: String) { redemptionEvents(tenantId: "${tenantId}", after: $after) {
    __typename ... on RedemptionEvent { id detail } ... on FeedLagged { resumeAfter }
  } }`;
  const hear = ({ type, payload }: { type: string; payload: Next }) => {
    if (type === 'connection_ack') send({ id: 'feed', type: 'subscribe', payload: { query, variables: { after } } });
    if (type === 'complete') reader.isComplete = true;
    if (type === 'next') keep(reader, payload.data.redemptionEvents);
  };
  await until(() => reader.isCaughtUp, 'the reader to catch up', 60_000);
  return reader;
}

interface Next {
  data: { redemptionEvents: { __typename: string; id: string; resumeAfter: string } };
}

function keep(reader: Reader, { __typename, id, resumeAfter }: Next['data']['redemptionEvents']): void {
  if (__typename === 'RedemptionEvent') reader.events.push(Number(id.replace('evt_', '')));
  else if (__typename === 'FeedLagged') reader.resumeAfter = resumeAfter;
  else reader.isCaughtUp = true;
}

async function writeEvents(count: number): Promise<void> {
  await gateway.sql(
    `with told as (
      insert into event (tenant_id, type, at, detail, invitation_id, app_ids)
      select $1, 'STARTED', now(), repeat('x', $4::int), $2, '{}' from generate_series(1, $3::int)
    ) select pg_notify('vestibule_feed', '')`,
    [tenantId, invitationId, count, DETAIL_BYTES],
  );
}

it('a socket that is not read gets FeedLagged, with a cursor after which nothing is missing and nothing repeated', async () => {
  const [slow, quick] = [await read(), await read()];
  slow.socket.pause();
  for (let written = 0; written < EVENTS; written += BURST) {
    await writeEvents(BURST);
    await until(() => quick.events.length === written + BURST, 'the quick one to read on', 20_000);
  }
  expect(quick.resumeAfter).toBeNull();
  await until(() => gateway.app.ground.feed.subscribers === 1, 'the slow one to be let go');

  slow.socket.resume();
  await until(() => slow.isComplete, 'what was under way', 20_000);
  expect(slow.events.length).toBeLessThan(EVENTS);
  expect(slow.resumeAfter).not.toBeNull();
  const resumed = await read(slow.resumeAfter);
  expect([...slow.events, ...resumed.events]).toEqual(quick.events);
}, 120_000);
