/** The tenant's routing as it is now: by what addresses may be proven. */
import type { Db } from '../../database/transaction.js';
import { domainOf } from '../../kernel/email-address.js';
import { openRouting } from '../partners/routing.queries.js';
import type { Method } from './methods.rules.js';

export async function loadMethods(
  db: Db,
  { tenantId, emailKey }: { tenantId: string; emailKey: string },
): Promise<Method[]> {
  return (await openMethods(db, tenantId, [emailKey]))(emailKey);
}

/** By what each of these addresses may be proven. */
export async function openMethods(
  db: Db,
  tenantId: string,
  emailKeys: readonly string[],
): Promise<(emailKey: string) => Method[]> {
  const routeOf = await openRouting(db, tenantId, emailKeys.map(domainOf));
  return (emailKey) => routeOf(domainOf(emailKey)).methods.map(({ method }) => method);
}
