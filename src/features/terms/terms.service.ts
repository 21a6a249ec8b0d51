/**
 * Terms of use: published as numbered versions, shown where guests consent, agreed to by version, language and hash. Who
 * shows them and asks is `redemption` and `sign-in`; whoever agreed to a version is not asked for it again.
 */
import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import { reachTenant } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import { Validation } from '../../request/validation.js';
import { ringTenantChanged } from '../tenants/tenant-cache.service.js';
import type { Terms } from './terms.queries.js';

/** Characters; the longest terms known to us have 40,000. */
export const MAX_TERMS_LENGTH = 100_000;

export interface TermsText {
  language: string;
  markdown: string;
}

interface HashedText extends TermsText {
  hash: string;
}

export class TermsService {
  /**
   * The next version, in force at once: guests agree to it before they go on, whoever agreed to an earlier one at their
   * next sign-in. The same texts once more change nothing, so that nobody is asked again for what they agreed to.
   * @throws UserError with every problem of the texts.
   */
  async publish(ctx: RequestContext, tenantId: string, texts: readonly TermsText[]): Promise<void> {
    const checked = checkTexts(texts);
    await reachTenant(ctx, tenantId);
    await ctx.transaction(tenantId, async (tx) => {
      const latest = await lockLatest(tx);
      if (latest.inForce && isSame(latest.texts, checked)) return;
      await insertVersion(ctx, tx, latest.version + 1, checked);
      await putInForce(tx, latest.version + 1);
    });
  }

  /** Nobody is asked any more; what was agreed to stays on record, and the next version gets the next number. */
  async withdraw(ctx: RequestContext, tenantId: string): Promise<void> {
    await reachTenant(ctx, tenantId);
    await ctx.transaction(tenantId, (tx) => putInForce(tx, null));
  }
}

/** For whoever asked outside of a redemption. */
export async function acceptTerms(tx: Tx, externalUserId: string, terms: Terms, now: Date): Promise<void> {
  await sql`
    insert into terms_acceptance (tenant_id, external_user_id, version, language, hash, accepted_at)
    values (${tx.tenantId}, ${externalUserId}, ${terms.version}, ${terms.language}, ${terms.hash}, ${now})
    on conflict (tenant_id, external_user_id, version) do nothing`.execute(tx.db);
}

function checkTexts(texts: readonly TermsText[]): HashedText[] {
  const valid = new Validation();
  if (texts.length === 0) valid.add('REQUIRED', ['texts']);
  const checked = texts.map(({ language, markdown }, index) => {
    const place = ['texts', String(index)];
    const text = valid.text(markdown, MAX_TERMS_LENGTH, ...place, 'markdown');
    if (text === null) valid.add('REQUIRED', [...place, 'markdown']);
    return { language: valid.language(language, ...place, 'language'), markdown: text ?? '', hash: hashOf(text ?? '') };
  });
  const known = new Set<string>();
  for (const [index, { language }] of checked.entries()) {
    if (known.has(language)) valid.add('TAKEN', ['texts', String(index), 'language'], 'Give one text for a language.');
    known.add(language);
  }
  valid.done();
  return checked;
}

function hashOf(markdown: string): string {
  return createHash('sha256').update(markdown).digest('hex');
}

interface Latest {
  /** 0: there was none yet. */
  version: number;
  inForce: boolean;
  /** Hashes by language. */
  texts: Record<string, string>;
}

/** Two who publish at once get two versions. */
async function lockLatest({ db, tenantId }: Tx): Promise<Latest> {
  await sql`select from tenant where id = ${tenantId} for no key update`.execute(db);
  const { rows } = await sql<Latest>`
    select v.version, v.version = t.terms_version as "inForce", (
      select jsonb_object_agg(x.language, x.hash) from terms_of_use_text x
      where x.tenant_id = v.tenant_id and x.version = v.version
    ) as texts
    from terms_of_use v join tenant t on t.id = v.tenant_id
    where v.tenant_id = ${tenantId} order by v.version desc limit 1`.execute(db);
  return rows[0] ?? { version: 0, inForce: false, texts: {} };
}

function isSame(published: Record<string, string>, texts: readonly HashedText[]): boolean {
  return (
    Object.keys(published).length === texts.length && texts.every(({ language, hash }) => published[language] === hash)
  );
}

async function insertVersion(
  ctx: RequestContext,
  { db, tenantId }: Tx,
  version: number,
  texts: readonly HashedText[],
): Promise<void> {
  const { kind, displayName } = ctx.actor;
  await sql`
    insert into terms_of_use (tenant_id, version, published_at, published_by_kind, published_by_name)
    values (${tenantId}, ${version}, ${ctx.clock.now()}, ${kind}, ${displayName})`.execute(db);
  await sql`
    insert into terms_of_use_text (tenant_id, version, language, markdown, hash)
    select ${tenantId}, ${version}, * from unnest(${texts.map(({ language }) => language)}::text[],
      ${texts.map(({ markdown }) => markdown)}::text[], ${texts.map(({ hash }) => hash)}::text[])`.execute(db);
}

async function putInForce(tx: Tx, version: number | null): Promise<void> {
  await sql`update tenant set terms_version = ${version} where id = ${tx.tenantId}`.execute(tx.db);
  await ringTenantChanged(tx, tx.tenantId as string);
}
