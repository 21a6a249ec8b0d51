/** Contoso invites everybody in `guests.csv` with one mutation, and follows how far the gateway is by subscription. */
import { readFile } from 'node:fs/promises';
import { findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';
import { within } from './deadline.js';
import { requireEqual } from './expectation.js';
import type { GraphqlClient } from './graphql-client.js';

export interface BulkInvite {
  id: string;
  status: string;
  totalRows: number;
  processedRows: number;
  invitedRows: number;
  rejectedRows: number;
}

export interface RejectedRow {
  rowNumber: number;
  email: string;
  errors: { code: string; message: string }[];
}

/** What `guests.csv` has: one address is none. */
const expected = { status: 'COMPLETED', totalRows: 10, processedRows: 10, invitedRows: 9, rejectedRows: 1 };
const expectedErrors = [[6, 'ADDRESS_INVALID']];
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

/** @returns how many were invited, when it has finished. @throws Error when it does not come out as the file says. */
export async function followBulkInvite(
  graphql: GraphqlClient,
  { id }: BulkInvite,
  onProgress: (now: BulkInvite) => void,
): Promise<number> {
  const last = await within(RUN_SECONDS, 'the bulk invite to finish', lastProgress(graphql, id, onProgress));
  requireEqual('The bulk invite ended with', last, { id, ...expected });
  return expected.invitedRows;
}

/** @throws Error when others than the bad row of the file were rejected, or for another reason. */
export async function rejectedRows(graphql: GraphqlClient, { id }: BulkInvite): Promise<RejectedRow[]> {
  const { rows } = await graphql.ask<{ rows: { nodes: RejectedRow[] } }>(
    `query ($id: ID!) {
      node(id: $id) { ... on BulkInvite { rows(outcome: REJECTED) { nodes { rowNumber email errors { code message } } } } }
    }`,
    { id },
  );
  const found = rows.nodes.map(({ rowNumber, errors }) => [rowNumber, ...errors.map(({ code }) => code)]);
  requireEqual('The rejected rows are', found, expectedErrors);
  return rows.nodes;
}

async function lastProgress(graphql: GraphqlClient, id: string, onProgress: (now: BulkInvite) => void) {
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
