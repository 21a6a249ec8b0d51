/** Use cases of partners: create, change, delete. What their rules mean for an address is `partner-routing.rules.ts`. */
import { sql } from 'kysely';
import type { Row } from '../../database/table.js';
import type { Tx } from '../../database/transaction.js';
import { refuse, UserError, userErrorEntry } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import { checkDomains } from '../../request/domain-list.js';
import { reachTenant, rowById, tenantOf } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import { Validation } from '../../request/validation.js';
import { checkSignInPolicy, type SignInPolicy } from '../identity-providers/sign-in-policy.rules.js';
import { Partner } from './partner.entity.js';

export interface NewPartner {
  tenantId: string;
  displayName: string;
  domains: string[];
  signInPolicy?: SignInPolicy | null;
  automaticRedemption: boolean;
  trustsSecondFactor: boolean;
  skipsTermsOfUse: boolean;
  invitesAnybody: boolean;
}

export interface PartnerChange {
  partnerId: string;
  displayName?: string | null;
  domains?: string[] | null;
  signInPolicy?: SignInPolicy | null;
  automaticRedemption?: boolean | null;
  trustsSecondFactor?: boolean | null;
  skipsTermsOfUse?: boolean | null;
  invitesAnybody?: boolean | null;
}

export class PartnersService {
  async create(ctx: RequestContext, input: NewPartner): Promise<string> {
    const tenantId = await reachTenant(ctx, input.tenantId);
    const valid = new Validation();
    const displayName = valid.name(input.displayName, 'displayName');
    const domains = checkPartnerDomains(valid, input.domains);
    const policy = checkPolicy(valid, input.signInPolicy ?? null);
    valid.done();
    const id = newId('Partner');
    await ctx.transaction(tenantId, async (tx) => {
      await sql`
        insert into partner (id, tenant_id, display_name, sign_in_order, fallback, automatic_redemption, trusts_second_factor,
          skips_terms_of_use, invites_anybody, created_at)
        values (${id}, ${tenantId}, ${displayName}, ${policy.signInOrder}, ${policy.fallback}, ${input.automaticRedemption},
          ${input.trustsSecondFactor}, ${input.skipsTermsOfUse}, ${input.invitesAnybody}, ${ctx.clock.now()})`.execute(
        tx.db,
      );
      await replaceDomains(tx, id, domains);
    });
    return id;
  }

  async update(ctx: RequestContext, input: PartnerChange): Promise<string> {
    const { partnerId: id, displayName, domains, signInPolicy, ...flags } = input;
    const { automaticRedemption, trustsSecondFactor, skipsTermsOfUse, invitesAnybody } = flags;
    const tenantId = await tenantOf(ctx, 'Partner', Partner, id, 'partnerId');
    const valid = new Validation();
    const change = {
      ...(displayName != null && { displayName: valid.name(displayName, 'displayName') }),
      ...(signInPolicy !== undefined && checkPolicy(valid, signInPolicy)),
      ...(automaticRedemption != null && { automaticRedemption }),
      ...(trustsSecondFactor != null && { trustsSecondFactor }),
      ...(skipsTermsOfUse != null && { skipsTermsOfUse }),
      ...(invitesAnybody != null && { invitesAnybody }),
    };
    const patterns = domains == null ? null : checkPartnerDomains(valid, domains);
    valid.done();
    await ctx.transaction(tenantId, async (tx) => {
      Object.assign(await tx.em.findOneOrFail(Partner, { id }, { failHandler: unknownPartner }), change);
      if (patterns) await replaceDomains(tx, id, patterns);
    });
    return id;
  }

  /** Its people go on by the tenant's own policy. @returns the partner as it was */
  async delete(ctx: RequestContext, id: string): Promise<Row<Partner>> {
    const tenantId = await tenantOf(ctx, 'Partner', Partner, id, 'partnerId');
    const partner = await rowById(ctx, Partner, id);
    if (!partner) throw unknownPartner();
    await ctx.transaction(tenantId, async ({ db }) => {
      await sql`delete from partner where tenant_id = ${tenantId} and id = ${id}`.execute(db);
    });
    return partner;
  }
}

/** Null: both columns empty, which means the tenant's policy. */
function checkPolicy(valid: Validation, policy: SignInPolicy | null): Pick<Partner, 'signInOrder' | 'fallback'> {
  if (policy === null) return { signInOrder: null, fallback: null };
  checkSignInPolicy(valid, policy, 'signInPolicy');
  return { signInOrder: policy.order, fallback: policy.fallback };
}

function checkPartnerDomains(valid: Validation, domains: string[]): string[] {
  if (domains.length === 0) valid.add('REQUIRED', ['domains'], 'A partner is known by its domains. Give at least one.');
  return checkDomains(valid, domains);
}

/** @throws UserError TAKEN at each domain another partner of the tenant has. */
async function replaceDomains(tx: Tx, partnerId: string, patterns: string[]): Promise<void> {
  await sql`delete from partner_domain where partner_id = ${partnerId}`.execute(tx.db);
  const { rows } = await sql<{ pattern: string }>`
    insert into partner_domain (tenant_id, pattern, partner_id, position)
    select ${tx.tenantId}, pattern, ${partnerId}, position
    from unnest(${patterns}::text[]) with ordinality as given (pattern, position) order by pattern
    on conflict (tenant_id, pattern) do nothing returning pattern`.execute(tx.db);
  const stored = new Set(rows.map((row) => row.pattern));
  const taken = patterns.flatMap((pattern, index) => (stored.has(pattern) ? [] : [index]));
  if (taken.length > 0) throw new UserError(taken.map(takenAt));
}

function takenAt(index: number) {
  const message = 'Another partner of the tenant has this domain.';
  return userErrorEntry('TAKEN', { field: ['domains', String(index)], message });
}

function unknownPartner(): UserError {
  return refuse('NOT_FOUND', { field: ['partnerId'] });
}
