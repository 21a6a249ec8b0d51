/**
 * Search by a part of an address, for lists that may be long. Few matches are found by the trigram index and read by their
 * ids; of many, each row in the order of the list is looked at until a page is full. No plan of PostgreSQL's own serves both:
 * prepared once for all values, it takes one way for all of them.
 */
import { type RawBuilder, sql } from 'kysely';
import { RequestError } from '../../kernel/errors.js';
import type { RequestContext } from '../../request/request-context.js';

export interface AddressSearch {
  /** Null: too many to be named. */
  userIds: string[] | null;
  /** A LIKE pattern over address keys. */
  pattern: string;
}

/** What a trigram index needs to be of use; it is of the collation "default", so that equality never goes there. */
const MIN_SEARCH_CHARACTERS = 3;
/** Found and sorted in some milliseconds. */
const FEW = 1000;

/** Among the users of a tenant. @throws RequestError BAD_USER_INPUT when the text is too short. */
export function searchAddresses(ctx: RequestContext, tenantId: string, text: string): Promise<AddressSearch> {
  const pattern = containing(text);
  return ctx
    .loader<string, AddressSearch>(`addresses ${pattern}`, (tenantIds) => searchByTenant(ctx, tenantIds, pattern))
    .load(tenantId);
}

/** Whether a row belongs to a user who was found. @param userId the row's column */
export function isFound({ userIds, pattern }: AddressSearch, userId: RawBuilder<unknown>): RawBuilder<unknown> {
  return userIds
    ? sql`${userId} = any(${userIds})`
    : sql`(select found.email_key from external_user found where found.id = ${userId}) like ${pattern}`;
}

async function searchByTenant(
  ctx: RequestContext,
  tenantIds: readonly string[],
  pattern: string,
): Promise<AddressSearch[]> {
  const { rows } = await sql<{ tenantId: string; userIds: string[] }>`
    select tenant.id as "tenantId", found.ids as "userIds"
    from unnest(${tenantIds}::text[]) as tenant (id)
    cross join lateral (
      select array(
        select u.id from external_user u where u.tenant_id = tenant.id and u.email_key collate "default" like ${pattern}
        limit ${FEW + 1}
      ) as ids
    ) found`.execute(ctx.db);
  const found = new Map(rows.map(({ tenantId, userIds }) => [tenantId, userIds]));
  return tenantIds.map((id) => {
    const userIds = found.get(id) ?? [];
    return { userIds: userIds.length > FEW ? null : userIds, pattern };
  });
}

/** Keys are lower case in ASCII only. `%`, `_` and `\` stand for themselves. */
function containing(text: string): string {
  const part = text
    .trim()
    .normalize('NFC')
    .replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  if ([...part].length < MIN_SEARCH_CHARACTERS) {
    throw new RequestError('BAD_USER_INPUT', {
      message: `emailContains needs at least ${MIN_SEARCH_CHARACTERS} characters.`,
    });
  }
  return `%${part.replace(/[\\%_]/g, '\\$&')}%`;
}
