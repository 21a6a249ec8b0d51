/**
 * What the steps of a redemption look at: the offer (invitation, tenant, landing app, inviter) and the flow, as plain rows.
 * Read before a step to find what to lock, and again under the lock to decide.
 */
import { sql } from 'kysely';
import type { Db } from '../../database/transaction.js';
import { domainOf } from '../../kernel/email-address.js';
import { isIdOf } from '../../kernel/ids.js';
import type { Language } from '../../kernel/languages.js';
import { hashToken } from '../../kernel/secrets.js';
import type { Method } from '../identity-providers/routing.rules.js';
import { openRouting } from '../partners/routing.queries.js';
import { type DomainPolicy, domainVerdict } from '../tenants/domain-policy.rules.js';
import { type Terms, termsInForce } from '../terms/terms.queries.js';
import type { OfferState } from './redemption.states.js';
import type { RedemptionFlow } from './redemption-flow.entity.js';

export interface Offer extends OfferState {
  invitationId: string;
  tenantId: string;
  externalUserId: string;
  email: string;
  emailKey: string;
  /** The guest's name as the directory has it. */
  guestName: string | null;
  /** The person who invites, as the inviter gave it; never the name of an API key. */
  inviterName: string | null;
  /** The key that invited was revoked since. */
  inviterRevoked: boolean;
  /** The address is of the tenant itself, by now. */
  isOwnDomain: boolean;
  message: string | null;
  language: Language;
  accountEnabled: boolean;
  /** What the invitation assigns when it is accepted. */
  appGrants: { appId: string; role: string | null }[];
  startedAt: Date | null;
  tenantName: string;
  logoUrl: string | null;
  /** Of the logo on our own origin, once it was fetched. */
  logoPath: string | null;
  accentColor: string;
  supportEmail: string | null;
  privacyStatementUrl: string | null;
  termsOfUseUrl: string | null;
  /** Published here, to be agreed to with the consent; null: there are none. */
  terms: Terms | null;
  appName: string | null;
  /** An address the landing app has registered; null: there is no app to open. */
  landingUrl: string | null;
}

export async function loadOffer(db: Db, invitationId: string): Promise<Offer> {
  const offer = (await loadOffers(db, [invitationId])).get(invitationId);
  if (!offer) throw new Error(`Invitation ${invitationId} is gone.`);
  return offer;
}

/** By invitation. */
export async function loadOffers(db: Db, invitationIds: readonly string[]): Promise<Map<string, Offer>> {
  const { rows } = await sql<Omit<Offer, 'domainRefusal'> & DomainPolicy>`
    select i.id as "invitationId", i.tenant_id as "tenantId", i.external_user_id as "externalUserId", i.email,
      i.email_key as "emailKey", i.status, i.expires_at as "expiresAt", i.link_version as "linkVersion",
      i.decline_proven as "declineProven", i.started_at as "startedAt", i.message, i.language,
      i.inviter_name as "inviterName", k.revoked_at is not null as "inviterRevoked",
      split_part(i.email_key, '@', 2) = any(t.own_domains) as "isOwnDomain",
      coalesce(u.display_name, i.display_name) as "guestName", u.account_enabled as "accountEnabled",
      (
        select coalesce(jsonb_agg(distinct jsonb_build_object('appId', g.app_id, 'role', g.role)), '[]')
        from invitation_grant g where g.invitation_id = i.id and g.app_id is not null
      ) as "appGrants",
      t.domain_rule as "domainRule", t.domain_patterns as "domainPatterns", t.display_name as "tenantName", t.logo_url as "logoUrl",
      '/t/' || t.slug || '/logo/' || l.hash as "logoPath", t.accent_color as "accentColor",
      t.support_email as "supportEmail", t.privacy_statement_url as "privacyStatementUrl",
      t.terms_of_use_url as "termsOfUseUrl", to_jsonb(terms) as terms, a.display_name as "appName",
      case when i.redirect_url = any(a.redirect_uris) then i.redirect_url else a.home_page_url end as "landingUrl"
    from invitation i
    join tenant t on t.id = i.tenant_id
    join external_user u on u.id = i.external_user_id
    left join tenant_logo l on l.tenant_id = t.id
    left join lateral (${termsInForce('t', sql`i.language`)}) terms on true
    left join app a on a.id = i.landing_app_id
    left join api_key k on i.invited_by_kind = 'API_KEY' and k.id = i.invited_by_id
    where i.id = any(${invitationIds})`.execute(db);
  return new Map(
    rows.map(({ domainRule, domainPatterns, ...offer }) => {
      const { refusal: domainRefusal } = domainVerdict({ domainRule, domainPatterns }, domainOf(offer.emailKey));
      return [offer.invitationId, { ...offer, domainRefusal }];
    }),
  );
}

/** What opens a flow: its id in the browser that started it, or the handle answered over GraphQL. */
export type FlowKey = { flowId: string; browserToken: string } | { handle: string };

export interface Flow
  extends Pick<
    RedemptionFlow,
    | 'id'
    | 'tenantId'
    | 'invitationId'
    | 'linkVersion'
    | 'status'
    | 'provenAt'
    | 'proofKind'
    | 'proofProviderId'
    | 'proofIssuer'
    | 'proofSubject'
    | 'proofDisplayName'
    | 'mismatchedEmail'
    | 'createdAt'
    | 'expiresAt'
  > {
  /** A code was sent that can still be entered. */
  hasPasscode: boolean;
}

/** Undefined: there is none, it is over, or it belongs to another browser. */
export async function findFlow(db: Db, key: FlowKey, now: Date): Promise<Flow | undefined> {
  return (await findFlows(db, [key], now))[0];
}

/** In the order of the keys. */
export async function findFlows(db: Db, keys: readonly FlowKey[], now: Date): Promise<(Flow | undefined)[]> {
  const handles = keys.flatMap((key) => ('handle' in key ? [hashToken(key.handle)] : []));
  const ids = keys.flatMap((key) => ('flowId' in key && isIdOf('RedemptionFlow', key.flowId) ? [key.flowId] : []));
  const { rows } = await sql<Flow & { handleHash: Buffer | null; browserHash: Buffer | null }>`
    select ${flowColumns(now)}, f.handle_hash as "handleHash", f.browser_hash as "browserHash"
    from redemption_flow f
    where (f.handle_hash = any(${handles}) or f.id = any(${ids})) and f.expires_at > ${now}`.execute(db);
  const opened = new Map(
    rows.map(({ handleHash, browserHash, ...flow }) => [lockOf(flow.id, handleHash, browserHash), flow]),
  );
  return keys.map((key) =>
    opened.get(
      'handle' in key ? lockOf('', hashToken(key.handle), null) : lockOf(key.flowId, null, hashToken(key.browserToken)),
    ),
  );
}

/** What a key must fit, as text. */
function lockOf(flowId: string, handleHash: Buffer | null, browserHash: Buffer | null): string {
  return handleHash ? handleHash.toString('base64') : `${flowId} ${browserHash?.toString('base64')}`;
}

function flowColumns(now: Date) {
  return sql`
    f.id, f.tenant_id as "tenantId", f.invitation_id as "invitationId", f.link_version as "linkVersion", f.status,
    f.proven_at as "provenAt", f.proof_kind as "proofKind", f.proof_provider_id as "proofProviderId",
    f.proof_issuer as "proofIssuer", f.proof_subject as "proofSubject", f.proof_display_name as "proofDisplayName",
    f.mismatched_email as "mismatchedEmail", f.created_at as "createdAt", f.expires_at as "expiresAt",
    exists (select from passcode p where p.flow_id = f.id and p.expires_at > ${now} and p.used_at is null) as "hasPasscode"`;
}

/** Whether this browser's own flow spent the invitation; known as long as the flow is kept. */
export async function redeemedIn(db: Db, invitationId: string, browserToken: string | null): Promise<boolean> {
  if (browserToken === null) return false;
  const { rows } = await sql`
    select from redemption_flow
    where invitation_id = ${invitationId} and browser_hash = ${hashToken(browserToken)} and status = 'REDEEMED'`.execute(
    db,
  );
  return rows.length > 0;
}

export async function loadMethods(
  db: Db,
  { tenantId, emailKey }: Pick<Offer, 'tenantId' | 'emailKey'>,
): Promise<Method[]> {
  return (await openMethods(db, tenantId, [emailKey]))(emailKey);
}

/** The tenant's routing as it is now: by what each of these addresses may be proven. */
export async function openMethods(
  db: Db,
  tenantId: string,
  emailKeys: readonly string[],
): Promise<(emailKey: string) => Method[]> {
  const routeOf = await openRouting(db, tenantId, emailKeys.map(domainOf));
  return (emailKey) => routeOf(domainOf(emailKey)).methods.map(({ method }) => method);
}
