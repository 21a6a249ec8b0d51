/**
 * What one row of a batch asks for, pure: the row's own values, and where it gives none the batch's defaults. Whether what
 * is asked for is possible is decided with the invitations (`invitation-request.ts`).
 */
import type { UserErrorEntry } from '../../kernel/errors.js';
import {
  type AddressPolicy,
  checkRequest,
  csvFieldNames,
  type FieldNames,
  type InvitationRequest,
  inputFieldNames,
} from '../invitations/invitation-request.rules.js';
import type { InvitationTargets } from '../invitations/invitation-targets.queries.js';
import type { InviteRowText } from './invite-csv-columns.js';

/** What is the same for many rows. Address, name and copies are a row's own. */
export type BulkInviteDefaults = Omit<InvitationRequest, 'email' | 'displayName' | 'cc'>;

/** Whose words the rows' errors use: the fields of the GraphQL input, or the columns of the file. */
export type BulkInviteSource = 'ROWS' | 'CSV';

export const fieldNamesOf: Record<BulkInviteSource, FieldNames> = { ROWS: inputFieldNames, CSV: csvFieldNames };

/** A list in the row replaces the default list; landing app and redirect go together, because they must agree. */
export function requestOf(row: InviteRowText, defaults: BulkInviteDefaults): InvitationRequest {
  const landing = row.landingApp === null && row.redirectUrl === null ? defaults : row;
  return {
    email: row.email,
    displayName: row.displayName,
    apps: row.apps.length > 0 ? row.apps : defaults.apps,
    groups: row.groups.length > 0 ? row.groups : defaults.groups,
    landingApp: landing.landingApp,
    redirectUrl: landing.redirectUrl,
    message: row.message ?? defaults.message,
    language: row.language ?? defaults.language,
    cc: row.cc,
    sendMail: row.sendMail ?? defaults.sendMail,
    expiresInDays: row.expiresInDays ?? defaults.expiresInDays,
    inviterName: defaults.inviterName,
  };
}

/** What is wrong with the defaults, said once instead of in every row. */
export function checkDefaults(
  defaults: BulkInviteDefaults,
  tenant: AddressPolicy,
  targets: InvitationTargets,
): UserErrorEntry[] {
  const { errors } = checkRequest(
    { ...defaults, email: null, displayName: null, cc: [] },
    tenant,
    targets,
    inputFieldNames,
  );
  return errors
    .filter((error) => error.field?.[0] !== 'email')
    .map((error) => ({ ...error, field: ['defaults', ...(error.field ?? [])] }));
}
