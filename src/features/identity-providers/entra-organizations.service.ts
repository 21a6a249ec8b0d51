/**
 * Whether a domain is an organisation of Entra, and which one: asked of Entra's public metadata, which answers for a domain
 * in place of the organisation's id. Asked outside of any transaction, before routing has to know; what was found is kept,
 * so that every process and every later step sees the same. No answer leaves things as they are: unknown stays unknown.
 */
import { sql } from 'kysely';
import type { Db } from '../../database/transaction.js';
import { DAY, later } from '../../kernel/clock.js';
import { patternsCovering } from '../../kernel/domain-patterns.js';
import type { OutboundFetch } from '../../outbound/outbound-client.js';
import { OutboundError } from '../../outbound/outbound-error.js';
import type { RequestContext } from '../../request/request-context.js';
import { ORGANIZATION_PLACEHOLDER } from './openid-connect-presets.rules.js';
import { isOneOrganization } from './shared-issuers.rules.js';

/** After this an answer is asked for again. */
const FRESH_FOR = DAY;
/** Nobody asked about the domain for so long. */
const KEPT_FOR = 30 * DAY;

interface Asked {
  providerId: string;
  /** An issuer with `{tenantid}` where the organisation goes. */
  issuer: string;
}

export class EntraOrganizations {
  readonly #fetch: OutboundFetch;

  constructor(fetch: OutboundFetch) {
    this.#fetch = fetch;
  }

  /** Finds out what routing of this domain needs to know and does not, or not lately. @param domain ASCII form, lower case. */
  async discover(ctx: RequestContext, tenantId: string, domain: string): Promise<void> {
    const now = ctx.clock.now();
    for (const provider of await unanswered(ctx.db, tenantId, domain, later(now, -FRESH_FOR))) {
      const issuer = await this.#organizationOf(provider, domain);
      if (issuer === undefined) ctx.log.warn({ provider: provider.providerId }, 'Entra did not say whose a domain is');
      else await ctx.transaction(tenantId, ({ db }) => keep(db, tenantId, provider, domain, issuer, now));
    }
  }

  /** Null: the domain is no organisation. Undefined: there was no answer. */
  async #organizationOf({ issuer }: Asked, domain: string): Promise<string | null | undefined> {
    const url = `${issuer.replace(ORGANIZATION_PLACEHOLDER, domain)}/.well-known/openid-configuration`;
    try {
      const response = await this.#fetch(url);
      const answer = (await response.json()) as { issuer?: unknown; error?: unknown } | null;
      if (response.status === 200)
        return typeof answer?.issuer === 'string' ? organization(issuer, answer.issuer) : undefined;
      return response.status === 400 && answer?.error === 'invalid_tenant' ? null : undefined;
    } catch (error) {
      if (error instanceof OutboundError || error instanceof SyntaxError) return undefined;
      throw error;
    }
  }
}

/** The issuer has to be the template filled in; personal accounts are no organisation. */
function organization(template: string, issuer: string): string | null | undefined {
  const [start = '', end = ''] = template.split(ORGANIZATION_PLACEHOLDER);
  const fits = issuer.startsWith(start) && issuer.endsWith(end) && URL.canParse(issuer);
  const id = issuer.slice(start.length, issuer.length - end.length);
  if (!fits || !/^[0-9a-f-]{36}$/i.test(id)) return undefined;
  return isOneOrganization(issuer) ? issuer : null;
}

/** Providers that would be asked: nobody was named for the domain. */
async function unanswered(db: Db, tenantId: string, domain: string, since: Date): Promise<Asked[]> {
  const { rows } = await sql<Asked>`
    select p.id as "providerId", p.issuer from identity_provider p
    where p.tenant_id = ${tenantId} and p.enabled and p.preset = 'ENTRA_ANY_ORGANIZATION'
      and not exists (
        select from entra_organization o
        where o.identity_provider_id = p.id and o.domain = ${domain} and o.checked_at > ${since}
      )
      and not exists (
        select from identity_provider_domain d join identity_provider named on named.id = d.identity_provider_id
        where d.tenant_id = ${tenantId} and d.pattern = any(${patternsCovering(domain)}) and named.enabled
      )
    order by p.created_at, p.id`.execute(db);
  return rows;
}

async function keep(
  db: Db,
  tenantId: string,
  { providerId }: Asked,
  domain: string,
  issuer: string | null,
  now: Date,
): Promise<void> {
  await sql`
    insert into entra_organization (identity_provider_id, domain, tenant_id, issuer, checked_at)
    select p.id, ${domain}, ${tenantId}, ${issuer}, ${now} from identity_provider p where p.id = ${providerId}
    on conflict (identity_provider_id, domain) do update set issuer = excluded.issuer, checked_at = excluded.checked_at`.execute(
    db,
  );
}

export async function forgetOrganizations(db: Db, now: Date): Promise<void> {
  await sql`delete from entra_organization where checked_at <= ${later(now, -KEPT_FOR)}`.execute(db);
}
