/**
 * What a column of an invitation file is called: our own names and those of the three generations of Azure AD / Entra
 * files. `docs/csv.md` is this table for people. How a cell is read is `invite-csv-row.ts`.
 */

/** Cells as typed: apps, groups and the landing app are ids or names, resolved later; addresses are not checked here. */
export interface InviteRowText {
  email: string | null;
  displayName: string | null;
  apps: string[];
  groups: string[];
  landingApp: string | null;
  redirectUrl: string | null;
  message: string | null;
  language: string | null;
  cc: string[];
  sendMail: boolean | null;
  /** 1 to 90. */
  expiresInDays: number | null;
}

/** Of which nothing was given; its lists are shared by all rows, so they are replaced and never added to. */
export const blankRow: Readonly<InviteRowText> = {
  email: null,
  displayName: null,
  apps: [],
  groups: [],
  landingApp: null,
  redirectUrl: null,
  message: null,
  language: null,
  cc: [],
  sendMail: null,
  expiresInDays: null,
};

/** `contactUrl` is recognised only to say that it is not used. */
export type InviteColumn = keyof InviteRowText | 'contactUrl';

const names: Record<InviteColumn, string[]> = {
  email: ['email', 'inviteeEmail', 'InvitedUserEmailAddress'],
  displayName: ['displayName', 'Name'],
  apps: ['apps', 'InviteAppResources', 'InvitedToApplications'],
  groups: ['groups', 'InviteGroupResources', 'InvitedToGroups'],
  landingApp: ['landingApp', 'InviteAppID'],
  redirectUrl: ['redirectUrl', 'InviteReplyUrl', 'InviteRedirectURL'],
  message: ['message', 'InvitationText', 'customizedMessageBody'],
  language: ['language'],
  cc: ['cc', 'CcEmailAddress'],
  sendMail: ['sendMail', 'sendEmail'],
  expiresInDays: ['expiresInDays'],
  contactUrl: ['InviteContactUsUrl'],
};

const columnsByName = new Map(
  Object.entries(names).flatMap(([column, aliases]) =>
    aliases.map((alias) => [alias.toLowerCase(), column as InviteColumn] as const),
  ),
);

/** Today's template heads a column `<Item name> [PropertyName] <Required or blank>`; the property is its name. */
const templateHeading = /\[([^\]]+)\]\s*(?:required)?$/i;

export function columnOf(heading: string): InviteColumn | null {
  const name = templateHeading.exec(heading.trim())?.[1] ?? heading;
  return columnsByName.get(name.replace(/\s+/g, '').toLowerCase()) ?? null;
}

export function isTemplateHeading(heading: string): boolean {
  return templateHeading.test(heading.trim());
}
