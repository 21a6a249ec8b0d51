/** What must be true in the end, asked of the gateway as a dashboard would, and of the feed as it was seen live. */
import type { GraphqlClient } from './graphql-client.js';
import type { Guest } from './guest.js';
import type { LiveFeed } from './live-feed.js';

/** Also what people are given to paste. */
export const dashboardQuery =
  '{ tenant(slug: "contoso") { displayName invitationCounts { total sent pending redeemed } groups { nodes { displayName members { totalCount } } } } }';

interface Dashboard {
  invitationCounts: { total: number; sent: number; pending: number; redeemed: number };
  groups: { nodes: { displayName: string; members: { totalCount: number } }[] };
}

/** Nine of `guests.csv` are invited, two accept: both of the group Partners, one of Price Watch. */
const expected = [
  { total: 9, sent: 9, pending: 7, redeemed: 2 },
  { Partners: 2, 'Price Watch': 1 },
];

/** The feed keeps what happened to one invitation in order. */
const road = ['INVITED', 'MAIL_SENT', 'STARTED', 'IDENTITY_PROVEN', 'CONSENTED', 'REDEEMED'];

/** @returns a sentence. @throws Error when something is missing. */
export async function checkOutcome(graphql: GraphqlClient, feed: LiveFeed, accepted: Guest[]): Promise<string> {
  const { invitationCounts, groups } = await graphql.ask<Dashboard>(dashboardQuery);
  const members = groups.nodes.map(({ displayName, members }) => [displayName, members.totalCount]);
  requireEqual('Contoso sees', [invitationCounts, Object.fromEntries(members.sort())], expected);
  for (const { email } of accepted) {
    const seen = feed.events.filter(({ type, invitation }) => invitation.email === email && road.includes(type));
    requireEqual(
      `The feed of ${email} was`,
      seen.map(({ type }) => type),
      road,
    );
  }
  const { total, sent, redeemed } = invitationCounts;
  return `${total} invited, ${sent} mails sent, ${redeemed} accepted; ${feed.events.length} events seen live, ${median(feed.delays)} ms after they happened (median)`;
}

function requireEqual(what: string, found: unknown, wanted: unknown): void {
  const [actual, right] = [found, wanted].map((value) => JSON.stringify(value));
  if (actual !== right) throw new Error(`${what} ${actual} instead of ${right}.`);
}

function median(numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}
