/**
 * What the mail jobs ask before they send and report afterwards, for many mails at once. Only the newest link of an open
 * invitation is sent; a repeat after a kill carries the same Message-ID, and what was reported once is not reported again.
 */
import { type RawBuilder, sql } from 'kysely';
import type { Row } from '../../database/table.js';
import type { Scope } from '../../database/transaction.js';
import { appIdsOf, FEED_CHANNEL } from '../../events/record-events.js';
import { systemActor } from '../../kernel/actor.js';
import type { MailBrand, MailMessage } from '../../kernel/mail-message.js';
import type { RequestContext } from '../../request/request-context.js';
import { isRedeemedAutomatically } from '../partners/partners.queries.js';
import type { Tenant } from '../tenants/tenant.entity.js';
import { loadLogo } from '../tenants/tenant-logo.service.js';
import { termsInForce } from '../terms/terms.queries.js';
import type { Invitation } from './invitation.entity.js';
import { invitationCopyMail, invitationMail, type MailFacts } from './invitation.mail.js';
import { deliveryAfter, deliveryStatuses, statusAt } from './invitation.states.js';
import { redeemUrl, remakeLink } from './invitation-link.service.js';
import { type LinkVersion, makeMailKey } from './mail-key.service.js';
import { unsubscribePath } from './unsubscribe-link.service.js';

export type { LinkVersion };

/** Writes in the feed what became of a mail. */
export const postman = systemActor('Mail');

export interface MailToLoad extends LinkVersion {
  /** Place in the list of cc recipients; null: the guest's own mail. */
  copy: number | null;
}

type Sendable = MailFacts['invitation'] &
  Pick<Row<Invitation>, 'tenantId' | 'status' | 'delivery'> & { linkHash: Buffer };

interface Found {
  invitation: Sendable;
  tenant: Pick<Row<Tenant>, 'displayName' | 'accentColor' | 'supportEmail' | 'privacyStatementUrl'>;
  appName: string | null;
  isAutomatic: boolean;
  logoHash: string | null;
}

type FoundRow = Sendable &
  Omit<Found['tenant'], 'displayName'> &
  Omit<Found, 'invitation' | 'tenant'> & { tenantName: string };

/** Logos kept in memory, of 256 KB at most each. */
const MAX_LOGOS = 50;

export class InvitationMails {
  readonly #publicUrl: URL;
  /** By the image's hash, so that none of them is ever out of date. */
  readonly #logos = new Map<string, MailBrand['logo']>();

  constructor(publicUrl: URL) {
    this.#publicUrl = publicUrl;
  }

  /**
   * One statement for all of them.
   * @returns in their order the mail, null when there is nothing to send any more (revoked, redeemed, resent, already sent), or
   *   why this one cannot be made.
   */
  async load(ctx: RequestContext, wanted: readonly MailToLoad[]): Promise<(MailMessage | null | Error)[]> {
    const found = await findSendable(ctx, wanted);
    return Promise.all(
      wanted.map((mail) => {
        const row = found.get(mail.invitationId);
        return row && row.invitation.linkVersion === mail.linkVersion ? this.#mailOf(ctx, row, mail.copy) : null;
      }),
    );
  }

  async #mailOf(ctx: RequestContext, found: Found, copy: number | null): Promise<MailMessage | null | Error> {
    const { invitation } = found;
    const now = ctx.clock.now();
    if (statusAt(invitation, now) !== 'PENDING') return null;
    if (copy === null) return invitation.delivery === 'QUEUED' ? this.#guestMail(ctx, found, now) : null;
    const recipient = invitation.ccRecipients[copy];
    if (!recipient) return null;
    return { ...invitationCopyMail(await this.#facts(ctx, found), recipient, copy), tenantId: invitation.tenantId };
  }

  async #guestMail(ctx: RequestContext, found: Found, now: Date): Promise<MailMessage | Error> {
    const { id, tenantId, linkVersion, linkHash } = found.invitation;
    const token = remakeLink(ctx.secrets, id, linkVersion, linkHash);
    if (!token)
      return new Error(
        'SECRET_KEYS no longer holds the key this link was made with. Put it back, or resend the invitation.',
      );
    const key = makeMailKey(ctx.secrets, { invitationId: id, linkVersion });
    const links = {
      redeemUrl: redeemUrl(this.#publicUrl, token),
      unsubscribeUrl: new URL(unsubscribePath(ctx.secrets, id), this.#publicUrl).href,
    };
    const mail = invitationMail(await this.#facts(ctx, found), key, links, now);
    return { ...mail, tenantId };
  }

  async #facts(ctx: RequestContext, { logoHash, ...found }: Found): Promise<MailFacts> {
    const logo = logoHash && (await this.#logo(ctx, found.invitation.tenantId, logoHash));
    return { ...found, logo: logo || null };
  }

  async #logo(ctx: RequestContext, tenantId: string, hash: string): Promise<MailBrand['logo']> {
    const known = this.#logos.get(hash);
    if (known) return known;
    const logo = await loadLogo(ctx.db, tenantId);
    if (logo) {
      if (this.#logos.size >= MAX_LOGOS) this.#logos.clear();
      this.#logos.set(logo.hash, logo);
    }
    return logo;
  }
}

async function findSendable(ctx: RequestContext, wanted: readonly MailToLoad[]): Promise<Map<string, Found>> {
  const ids = [...new Set(wanted.map(({ invitationId }) => invitationId))];
  const { rows } = await sql<FoundRow>`
    select i.id, i.tenant_id as "tenantId", i.status, i.delivery, i.link_version as "linkVersion", i.link_hash as "linkHash",
      i.expires_at as "expiresAt", i.email, i.display_name as "displayName", i.inviter_name as "inviterName", i.message, i.language,
      i.cc_recipients as "ccRecipients", t.display_name as "tenantName", t.accent_color as "accentColor",
      t.support_email as "supportEmail", t.privacy_statement_url as "privacyStatementUrl",
      a.display_name as "appName", l.hash as "logoHash",
      ${isRedeemedAutomatically(sql`i.tenant_id`, sql`i.email_key`)} and terms.version is null as "isAutomatic"
    from invitation i
    join tenant t on t.id = i.tenant_id
    left join app a on a.tenant_id = i.tenant_id and a.id = i.landing_app_id
    left join tenant_logo l on l.tenant_id = i.tenant_id
    left join lateral (${termsInForce('t', sql`i.language`, sql`i.email_key`)}) terms on true
    where i.id = any(${ids})`.execute(ctx.db);
  return new Map(
    rows.map(
      ({
        tenantName,
        accentColor,
        supportEmail,
        privacyStatementUrl,
        appName,
        isAutomatic,
        logoHash,
        ...invitation
      }) => {
        const tenant = { displayName: tenantName, accentColor, supportEmail, privacyStatementUrl };
        return [invitation.id, { invitation, tenant, appName, isAutomatic, logoHash }];
      },
    ),
  );
}

/** What became of a mail that was tried. */
export interface Delivered extends LinkVersion {
  /** Why it will not be tried again, in a sentence of ours; null: it is on its way. */
  failure: string | null;
}

/** Where both ends are still open. */
const undecided = deliveryStatuses.filter((status) => deliveryAfter('sent', status) && deliveryAfter('fail', status));

/**
 * One statement for all of them. An invitation that somebody else holds at this moment is left out, for `recordDelivery`: waiting
 * while holding others, two such batches could wait for each other, and facts of one invitation could take an earlier
 * place in the feed than what they follow.
 * @returns in their order, whether it is noted
 */
export async function recordDeliveries(ctx: RequestContext, delivered: readonly Delivered[]): Promise<boolean[]> {
  const free = await ctx.oneStatement(null, (scope) => record(ctx, scope, delivered, sql`skip locked`));
  return delivered.map(({ invitationId }) => free.has(invitationId));
}

/** Waits for whoever holds the invitation. */
export async function recordDelivery(ctx: RequestContext, delivered: Delivered): Promise<void> {
  await ctx.oneStatement(null, (scope) => record(ctx, scope, [delivered], sql``));
}

/**
 * Locks, notes and tells. Two jobs of one mail, of which one was taken for dead, may report together: the first counts.
 * @returns whom nobody else held
 */
async function record(
  ctx: RequestContext,
  { db }: Scope,
  delivered: readonly Delivered[],
  wait: RawBuilder<unknown>,
): Promise<Set<string>> {
  const ids = delivered.map(({ invitationId }) => invitationId);
  const now = ctx.clock.now();
  const { rows } = await sql<{ id: string }>`
    with mail as (
      select distinct on (id, link_version) * from unnest(${ids}::text[], ${delivered.map(({ linkVersion }) => linkVersion)}::int[],
        ${delivered.map(({ failure }) => failure)}::text[]) as mail (id, link_version, failure)
    ),
    locked as materialized (select i.id from invitation i where i.id = any(${ids}) for update ${wait}),
    noted as (
      update invitation i set
        delivery = case when mail.failure is null then 'SENT' else 'FAILED' end,
        delivery_error = mail.failure,
        sent_at = case when mail.failure is null then coalesce(i.sent_at, ${now}) else i.sent_at end,
        last_sent_at = case when mail.failure is null then ${now} else i.last_sent_at end
      from mail join locked on locked.id = mail.id
      where i.id = mail.id and i.link_version = mail.link_version and i.delivery = any(${undecided})
      returning i.id, i.tenant_id, i.external_user_id, i.bulk_invite_id, i.landing_app_id, mail.failure
    ),
    told as (
      insert into event (tenant_id, type, at, actor_kind, actor_name, detail, invitation_id, external_user_id, bulk_invite_id, app_ids)
      select tenant_id, case when failure is null then 'MAIL_SENT' else 'MAIL_FAILED' end, ${now}, ${postman.kind}, ${postman.displayName},
        failure, id, external_user_id, bulk_invite_id, ${appIdsOf(sql`noted.id`, sql`noted.landing_app_id`)}
      from noted
    ),
    rung as (select pg_notify(${FEED_CHANNEL}, '') where exists (select from noted))
    select locked.id from locked left join rung on true`.execute(db);
  return new Set(rows.map(({ id }) => id));
}
