/** Contoso invites everybody in `guests.csv` with one mutation, and follows how far the gateway is by subscription. */
import { readFile } from 'node:fs/promises';
import { findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';
import { within } from './deadline.js';
import type { GraphqlClient } from './graphql-client.js';

export interface BulkInvite {
  id: string;
  status: string;
  totalRows: number;
  processedRows: number;
  invitedRows: number;
  rejectedRows: number;
}

/** What `guests.csv` has: one address is none. */
const expected = { status: 'COMPLETED', totalRows: 10, processedRows: 10, invitedRows: 9, rejectedRows: 1 };
const FIELDS = 'id status totalRows processedRows invitedRows rejectedRows';
const RUN_SECONDS = 30;

export async function startBulkInvite(graphql: GraphqlClient, tenantId: string): Promise<BulkInvite> {
  const csv = await readFile(join(packageRoot(), 'demo', 'guests.csv'), 'utf8');
  const { bulkInvite } = await graphql.ask<{ bulkInvite: BulkInvite }>(
    `mutation ($input: BulkInviteInput!) { bulkInvite(input: $input) { bulkInvite { ${FIELDS} } userErrors { code field message } } }`,
    { input: { tenantId, csv, fileName: 'guests.csv', defaults: { inviterName: 'Dana Kim' } } },
  );
  return bulkInvite;
}

/** @throws Error when it does not come out as the file says. */
export async function followBulkInvite(
  graphql: GraphqlClient,
  { id }: BulkInvite,
  onProgress: (now: BulkInvite) => void,
): Promise<BulkInvite> {
  const last = await within(RUN_SECONDS, 'the bulk invite to finish', progress(graphql, id, onProgress));
  for (const [field, value] of Object.entries(expected)) {
    const found = last?.[field as keyof BulkInvite];
    if (found !== value) throw new Error(`The bulk invite ended with ${field} ${found} instead of ${value}.`);
  }
  return last as BulkInvite;
}

async function progress(
  graphql: GraphqlClient,
  id: string,
  onProgress: (now: BulkInvite) => void,
): Promise<BulkInvite | null> {
  let last: BulkInvite | null = null;
  const document = `subscription ($id: ID!) { bulkInviteProgress(id: $id) { ${FIELDS} } }`;
  for await (const now of graphql.follow<BulkInvite>(document, { id })) {
    onProgress(now);
    last = now;
  }
  return last;
}

/** The CSV stays with the sources, the program runs compiled. */
function packageRoot(): string {
  return dirname(findPackageJSON('..', import.meta.url) ?? '');
}
