/** The tenant's routing as it is now: by what addresses may be proven. */
import type { Db } from '../../database/transaction.js';
import { domainOf } from '../../kernel/email-address.js';
import { openRouting } from '../partners/routing.queries.js';
import type { UnaddressedIdentity } from './flow.entity.js';
import { type Method, withCompletion } from './methods.rules.js';

export async function loadMethods(
  db: Db,
  { tenantId, emailKey, unaddressedIdentity = null }: UnderProof,
): Promise<Method[]> {
  const methods = (await openMethods(db, tenantId, [emailKey]))(emailKey);
  return unaddressedIdentity === null ? methods : withCompletion(methods, unaddressedIdentity);
}

interface UnderProof {
  tenantId: string;
  emailKey: string;
  /** Of the flow, if it has one. */
  unaddressedIdentity?: UnaddressedIdentity | null;
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
