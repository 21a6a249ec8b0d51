/** Reads of terms of use: the version in force or an earlier one, its texts, and what people agreed to. */
import { type RawBuilder, sql } from 'kysely';
import type { Row } from '../../database/table.js';
import type { Db } from '../../database/transaction.js';
import type { ActorKind } from '../../kernel/actor.js';
import type { Language } from '../../kernel/languages.js';
import type { RequestContext } from '../../request/request-context.js';
import { TermsAcceptance } from './terms-acceptance.entity.js';

/** What somebody is asked to agree to: one text of the version in force. */
export interface Terms {
  version: number;
  language: Language;
  hash: string;
}

/**
 * The text in force, to be joined laterally: in the language asked for, else in the tenant's, else in any. No row: there
 * are no terms, or none for people of this address's partner.
 * @param tenant alias of the table `tenant`
 */
export function termsInForce(
  tenant: string,
  language: RawBuilder<unknown>,
  emailKey: RawBuilder<unknown>,
): RawBuilder<unknown> {
  const t = sql.ref(tenant);
  return sql`
    select x.version, x.language, x.hash from terms_of_use_text x
    where x.tenant_id = ${t}.id and x.version = ${t}.terms_version and not ${isSparedByPartner(t, emailKey)}
    order by x.language = ${language} desc, x.language = ${t}.default_language desc, x.language limit 1`;
}

/** By the partner whose pattern is most specific for the domain (`partner-routing.rules.ts`); a wildcard covers no apex. */
function isSparedByPartner(t: RawBuilder<unknown>, emailKey: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`coalesce((
    select p.skips_terms_of_use
    from partner_domain d join partner p on p.tenant_id = d.tenant_id and p.id = d.partner_id
    where d.tenant_id = ${t}.id and (
      d.pattern = split_part(${emailKey}, '@', 2)
      or starts_with(d.pattern, '*.') and right(${emailKey}, length(d.pattern) - 1) = substr(d.pattern, 2))
    order by starts_with(d.pattern, '*.'), length(d.pattern) desc limit 1
  ), false)`;
}

/** What an accepted user has not agreed to yet; null: nothing is to be asked. */
export async function termsToAccept(db: Db, tenantId: string, externalUserId: string): Promise<Terms | null> {
  const { rows } = await sql<Terms>`
    select terms.version, terms.language, terms.hash
    from tenant t
    join external_user u on u.tenant_id = t.id and u.id = ${externalUserId}
    cross join lateral (${termsInForce('t', sql`coalesce(u.preferred_language, t.default_language)`, sql`u.email_key`)}) terms
    where t.id = ${tenantId} and not exists (
      select from terms_acceptance a
      where a.tenant_id = t.id and a.external_user_id = u.id and a.version = terms.version)`.execute(db);
  return rows[0] ?? null;
}

export async function loadTermsMarkdown(
  db: Db,
  tenantId: string,
  { version, language }: Pick<Terms, 'version' | 'language'>,
): Promise<string> {
  const { rows } = await sql<{ markdown: string }>`
    select markdown from terms_of_use_text
    where tenant_id = ${tenantId} and version = ${version} and language = ${language}`.execute(db);
  if (!rows[0]) throw new Error(`Terms of use ${version} of ${tenantId} have no text in ${language}.`);
  return rows[0].markdown;
}

export interface PublishedTerms {
  tenantId: string;
  version: number;
  publishedAt: Date;
  publishedByKind: ActorKind;
  publishedByName: string;
  texts: { language: Language; markdown: string; hash: string }[];
}

/** @param version null: the one in force. @returns null: there is none. */
export function termsOfUseOf(
  ctx: RequestContext,
  tenantId: string,
  version: number | null,
): Promise<PublishedTerms | null> {
  return ctx
    .loader<string, PublishedTerms | null>(`terms of use ${version}`, (ids) => termsByTenant(ctx, version, ids))
    .load(tenantId);
}

async function termsByTenant(
  ctx: RequestContext,
  version: number | null,
  tenantIds: readonly string[],
): Promise<(PublishedTerms | null)[]> {
  const { rows } = await sql<PublishedTerms>`
    select v.tenant_id as "tenantId", v.version, v.published_at as "publishedAt", v.published_by_kind as "publishedByKind",
      v.published_by_name as "publishedByName", (
        select jsonb_agg(jsonb_build_object('language', x.language, 'markdown', x.markdown, 'hash', x.hash) order by x.language)
        from terms_of_use_text x where x.tenant_id = v.tenant_id and x.version = v.version
      ) as texts
    from terms_of_use v join tenant t on t.id = v.tenant_id
    where t.id = any(${tenantIds}) and v.version = coalesce(${version}::int, t.terms_version)`.execute(ctx.db);
  const byTenant = new Map(rows.map((row) => [row.tenantId, row]));
  return tenantIds.map((id) => byTenant.get(id) ?? null);
}

export type TermsAcceptanceRow = Row<TermsAcceptance>;

/** The latest version first. */
export function termsAcceptancesOf(ctx: RequestContext, externalUserId: string): Promise<TermsAcceptanceRow[]> {
  return ctx
    .loader<string, TermsAcceptanceRow[]>('terms acceptances', (ids) => acceptancesByUser(ctx, ids))
    .load(externalUserId);
}

async function acceptancesByUser(ctx: RequestContext, ids: readonly string[]): Promise<TermsAcceptanceRow[][]> {
  const { rows } = await sql<TermsAcceptanceRow>`
    select ${ctx.tables.columns(TermsAcceptance, 'a')} from terms_acceptance a
    where a.external_user_id = any(${ids}) order by a.version desc`.execute(ctx.db);
  const byUser = Map.groupBy(rows, (acceptance) => acceptance.externalUserId);
  return ids.map((id) => byUser.get(id) ?? []);
}
