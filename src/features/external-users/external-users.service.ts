/**
 * What operators change about a person in the directory. Users come to be by invitations or by being added (`sign-in`), never here; their sessions belong
 * to sign-in, which is asked through a port.
 */
import { LockMode } from '@mikro-orm/core';
import type { Tx } from '../../database/transaction.js';
import { refuse } from '../../kernel/errors.js';
import { tenantOf } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import { Validation } from '../../request/validation.js';
import { ExternalUser } from './external-user.entity.js';

export interface ExternalUserChange {
  externalUserId: string;
  accountEnabled?: boolean | null;
  displayName?: string | null;
  preferredLanguage?: string | null;
}

/** Ends the sessions of whoever may not sign in any more, in the same transaction. */
export type EndSessions = (tx: Tx, externalUserId: string) => Promise<void>;

/** Whether the caller may take a person away, or let them in again. @throws RequestError FORBIDDEN */
export type RequireRightOver = (ctx: RequestContext, tx: Tx, externalUserId: string) => Promise<void>;

export class ExternalUsersService {
  readonly #endSessions: EndSessions;
  readonly #requireRightOver: RequireRightOver;

  constructor(endSessions: EndSessions, requireRightOver: RequireRightOver) {
    this.#endSessions = endSessions;
    this.#requireRightOver = requireRightOver;
  }

  async update(ctx: RequestContext, input: ExternalUserChange): Promise<string> {
    const id = input.externalUserId;
    const tenantId = await tenantOf(ctx, 'ExternalUser', ExternalUser, id, 'externalUserId');
    const change = checkChange(input);
    await ctx.transaction(tenantId, async (tx) => {
      if (change.accountEnabled !== undefined) await this.#requireRightOver(ctx, tx, id);
      // A sign-in locks the row too: one at this moment is ended below, or refused.
      const user = await tx.em.findOneOrFail(ExternalUser, { id }, { lockMode: LockMode.PESSIMISTIC_WRITE });
      if (user.deletedAt && change.accountEnabled)
        throw refuse('CONFLICT', { field: ['accountEnabled'], message: 'This person is deleted. Restore them first.' });
      Object.assign(user, change);
      await tx.writeChanges();
      if (change.accountEnabled === false) await this.#endSessions(tx, id);
    });
    return id;
  }
}

function checkChange({ accountEnabled, displayName, preferredLanguage }: ExternalUserChange): Partial<ExternalUser> {
  const valid = new Validation();
  const change = {
    ...(accountEnabled != null && { accountEnabled }),
    ...(displayName !== undefined && {
      displayName: displayName?.trim() ? valid.name(displayName, 'displayName') : null,
    }),
    ...(preferredLanguage !== undefined && {
      preferredLanguage: preferredLanguage ? valid.language(preferredLanguage, 'preferredLanguage') : null,
    }),
  };
  valid.done();
  return change;
}
