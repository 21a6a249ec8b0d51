/**
 * The link's token: the invitation's id and an HMAC over it and the link version. Who holds the server secret can make it
 * again, nobody else; the table holds a hash, so a dump opens nothing. Resending raises the version: the old link is still
 * recognised, to be told apart from garbage, but opens nothing.
 */
import { sql } from 'kysely';
import type { Row } from '../../database/table.js';
import { isIdOf } from '../../kernel/ids.js';
import { equalBytes, hashToken, type Secrets } from '../../kernel/secrets.js';
import type { RequestContext } from '../../request/request-context.js';
import { Invitation } from './invitation.entity.js';

export interface InvitationLink {
  token: string;
  hash: Buffer;
}

export function makeLink(secrets: Secrets, invitationId: string, linkVersion: number): InvitationLink {
  return linkOf(invitationId, secrets.sign('link', message(invitationId, linkVersion)));
}

/** The token whose hash is stored, also when the server secret was changed since; null when its key is gone. */
export function remakeLink(
  secrets: Secrets,
  invitationId: string,
  linkVersion: number,
  linkHash: Buffer,
): string | null {
  const links = secrets.signatures('link', message(invitationId, linkVersion)).map((mac) => linkOf(invitationId, mac));
  return links.find((link) => equalBytes(link.hash, linkHash))?.token ?? null;
}

export function redeemUrl(publicUrl: URL, token: string): string {
  return new URL(`/redeem/${token}`, publicUrl).href;
}

export type OpenedLink =
  | { kind: 'current'; invitation: Row<Invitation> }
  | { kind: 'superseded'; invitation: Row<Invitation> }
  | { kind: 'unknown' };

/** Garbage, a foreign token and a deleted invitation are one and the same to whoever holds them. */
export async function openLink(ctx: RequestContext, token: string): Promise<OpenedLink> {
  const [id = '', mac = '', ...rest] = token.split('.');
  if (rest.length > 0 || !isIdOf('Invitation', id) || mac.length > 64) return { kind: 'unknown' };
  const found = await loadByLink(ctx, id);
  if (!found) return { kind: 'unknown' };
  const { linkHash, ...invitation } = found;
  if (equalBytes(hashToken(token), linkHash)) return { kind: 'current', invitation };
  return isEarlierLink(ctx.secrets, invitation, mac) ? { kind: 'superseded', invitation } : { kind: 'unknown' };
}

async function loadByLink(
  ctx: RequestContext,
  id: string,
): Promise<(Row<Invitation> & { linkHash: Buffer }) | undefined> {
  const { rows } = await sql<Row<Invitation> & { linkHash: Buffer }>`
    select ${ctx.tables.columns(Invitation, 'i')}, i.link_hash as "linkHash" from invitation i where i.id = ${id}`.execute(
    ctx.db,
  );
  return rows[0];
}

function isEarlierLink(secrets: Secrets, { id, linkVersion }: Row<Invitation>, mac: string): boolean {
  const given = Buffer.from(mac, 'base64url');
  for (let version = linkVersion - 1; version > 0; version--) {
    if (secrets.verify('link', message(id, version), given)) return true;
  }
  return false;
}

function linkOf(invitationId: string, mac: Buffer): InvitationLink {
  const token = `${invitationId}.${mac.toString('base64url')}`;
  return { token, hash: hashToken(token) };
}

function message(invitationId: string, linkVersion: number): string {
  return `${invitationId}/${linkVersion}`;
}
