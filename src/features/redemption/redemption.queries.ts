/**
 * What the steps of a redemption look at: the offer (invitation, tenant, landing app, inviter) and the flow, as plain rows.
 * Read before a step to find what to lock, and again under the lock to decide.
 */

import { sql } from 'kysely';
import type { Db } from '../../database/transaction.js';
import { domainOf } from '../../kernel/email-address.js';
import type { Language } from '../../kernel/languages.js';
import { hashToken } from '../../kernel/secrets.js';
import { hasLocalIdentity } from '../credentials/local-identity.queries.js';
import type { SecondFactorDemand } from '../credentials/second-factor.rules.js';
import { isOperatorEnabled, rolesOfUser } from '../operators/operator-rights.queries.js';
import { isOutOfReach } from '../partners/inviter-reach.queries.js';
import { isRedeemedAutomatically } from '../partners/partners.queries.js';
import { type FlowKey, findFlows as findFlowsFor, type ProvingFlow } from '../proving/flows.queries.js';
import { type DomainPolicy, domainVerdict } from '../tenants/domain-policy.rules.js';
import { type Terms, termsInForce } from '../terms/terms.queries.js';
import type { OfferState } from './redemption.states.js';

export interface Offer extends OfferState, SecondFactorDemand {
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
  /** The tenant and the guest's organisation have agreed: the guest is not asked for consent. */
  isAutomatic: boolean;
  message: string | null;
  language: Language;
  accountEnabled: boolean;
  /** The guest has a password or a passkey here, from an earlier invitation. */
  hasLocalAccount: boolean;
  /** What the invitation assigns when it is accepted. */
  appGrants: { appId: string; role: string | null }[];
  startedAt: Date | null;
  tenantName: string;
  tenantSlug: string;
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
  /** An address the landing app has registered, or a path of ours that leads there; null: there is no app to open. */
  landingUrl: string | null;
}

export async function loadOffer(db: Db, invitationId: string): Promise<Offer> {
  const offer = (await loadOffers(db, [invitationId])).get(invitationId);
  if (!offer) throw new Error(`Invitation ${invitationId} is gone.`);
  return offer;
}

/**
 * People invite as long as they may, and whom they may: an operator who is blocked, without a role that allows it, or whose
 * organisation no longer invites this address, counts as a revoked key.
 */
const inviterLostRights = sql<boolean>`(i.invited_by_kind = 'OPERATOR' and (not exists (
  select from role_assignment r where r.tenant_id = i.tenant_id and r.role in ('TENANT_ADMIN', 'GUEST_INVITER')
    and (r.app_id = i.invited_by_id or ${rolesOfUser(sql`i.invited_by_id`)})
    and ${isOperatorEnabled(sql`i.invited_by_id`)}
  ) or ${isOutOfReach(sql`i.invited_by_id`, sql`i.tenant_id`, sql`i.email_key`)}))`;

/** By invitation. */
export async function loadOffers(db: Db, invitationIds: readonly string[]): Promise<Map<string, Offer>> {
  const { rows } = await sql<Omit<Offer, 'domainRefusal'> & DomainPolicy>`
    select i.id as "invitationId", i.tenant_id as "tenantId", i.external_user_id as "externalUserId", i.email,
      i.email_key as "emailKey", i.status, i.expires_at as "expiresAt", i.link_version as "linkVersion",
      i.decline_proven as "declineProven", i.started_at as "startedAt", i.message, i.language,
      i.inviter_name as "inviterName", k.revoked_at is not null or ${inviterLostRights} as "inviterRevoked",
      split_part(i.email_key, '@', 2) = any(t.own_domains) as "isOwnDomain",
      coalesce(u.display_name, i.display_name) as "guestName", u.account_enabled as "accountEnabled",
      t.second_factor_required as "secondFactorRequired",
      exists (select from totp where totp.external_user_id = u.id) as "hasTotp",
      ${hasLocalIdentity('u', 'i')} as "hasLocalAccount",
      (
        select coalesce(jsonb_agg(distinct jsonb_build_object('appId', g.app_id, 'role', g.role)), '[]')
        from invitation_grant g where g.invitation_id = i.id and g.app_id is not null
      ) as "appGrants",
      t.domain_rule as "domainRule", t.domain_patterns as "domainPatterns", t.display_name as "tenantName", t.slug as "tenantSlug", t.logo_url as "logoUrl",
      '/t/' || t.slug || '/logo/' || l.hash as "logoPath", t.accent_color as "accentColor",
      t.support_email as "supportEmail", t.privacy_statement_url as "privacyStatementUrl",
      ${isRedeemedAutomatically(sql`i.tenant_id`, sql`i.email_key`)} and terms.version is null as "isAutomatic",
      t.terms_of_use_url as "termsOfUseUrl", to_jsonb(terms) as terms, a.display_name as "appName",
      case when i.redirect_url = any(a.redirect_uris) then i.redirect_url
        when a.initiate_login_url is not null then '/t/' || t.slug || '/apps/' || a.id || '/open'
        else a.home_page_url end as "landingUrl"
    from invitation i
    join tenant t on t.id = i.tenant_id
    join external_user u on u.id = i.external_user_id
    left join tenant_logo l on l.tenant_id = t.id
    left join lateral (${termsInForce('t', sql`i.language`, sql`i.email_key`)}) terms on true
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

/** A flow of an invitation. */
export interface Flow extends ProvingFlow {
  invitationId: string;
  linkVersion: number;
}

/** Undefined: there is none, it is over, or it belongs to another browser. */
export async function findFlow(db: Db, key: FlowKey, now: Date): Promise<Flow | undefined> {
  return (await findFlows(db, [key], now))[0];
}

/** In the order of the keys. */
export async function findFlows(db: Db, keys: readonly FlowKey[], now: Date): Promise<(Flow | undefined)[]> {
  // The database holds that a flow of this purpose has an invitation.
  return (await findFlowsFor(db, ['REDEEM'], keys, now)) as (Flow | undefined)[];
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
