/** The tenant's routing as it is now: by what addresses may be proven. */
import type { Db } from '../../database/transaction.js';
import { providersForDomain } from '../identity-providers/identity-providers.service.js';
import { type Method, methodsFor } from './methods.rules.js';

export async function loadMethods(
  db: Db,
  { tenantId, emailKey }: { tenantId: string; emailKey: string },
): Promise<Method[]> {
  return (await openRouting(db, tenantId))(emailKey);
}

/** The methods of any address. */
export async function openRouting(db: Db, tenantId: string): Promise<(emailKey: string) => Method[]> {
  const candidates = await providersForDomain(db, tenantId);
  return (emailKey) => methodsFor(emailKey, candidates);
}
