/** What must be true in the end, asked of the gateway as a dashboard would, and of the feed as it was seen live. */
import { requireEqual } from './expectation.js';
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

/** Nine of `guests.csv` are invited, three accept: all are of the group Partners, one of Price Watch. */
const expectedCounts = { total: 9, sent: 9, pending: 6, redeemed: 3 };
const expectedMembers = { Partners: 3, 'Price Watch': 1 };

/** The feed keeps what happens to one invitation in order. */
const expectedRoad = ['INVITED', 'MAIL_SENT', 'STARTED', 'IDENTITY_PROVEN', 'CONSENTED', 'REDEEMED'];

/** @returns a sentence. @throws Error when something is missing. */
export async function checkOutcome(graphql: GraphqlClient, feed: LiveFeed, accepted: Guest[]): Promise<string> {
  const { invitationCounts: counts, groups } = await graphql.ask<Dashboard>(dashboardQuery);
  requireEqual('The invitations count', { ...counts }, expectedCounts);
  const members = groups.nodes.map(({ displayName, members }) => [displayName, members.totalCount]);
  requireEqual('The groups count', Object.fromEntries(members), expectedMembers);
  for (const { email } of accepted) {
    const types = feed.events.filter(({ invitation }) => invitation.email === email).map(({ type }) => type);
    requireEqual(
      `The feed of ${email} was`,
      types.filter((type) => expectedRoad.includes(type)),
      expectedRoad,
    );
  }
  const feedWords = `${feed.events.length} events seen live, ${median(feed.delays)} ms (median) after they happened`;
  return `${counts.total} invited, ${counts.sent} mails sent, ${counts.redeemed} accepted; ${feedWords}`;
}

function median(numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}
