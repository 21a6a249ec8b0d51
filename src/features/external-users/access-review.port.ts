/** Asked by whoever may have taken somebody's access to an app away, in the same transaction; the OpenID Provider answers. */
import type { Tx } from '../../database/transaction.js';

/** Whose access may be gone: of these people, or to these apps. */
export interface AccessChange {
  externalUserIds?: readonly string[];
  appIds?: readonly string[];
}

/** What was given to apps for people who may not use them any more ends. */
export type ReviewAccess = (tx: Tx, change: AccessChange) => Promise<void>;
