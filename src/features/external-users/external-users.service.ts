/** What operators change about a person in the directory. Users come to be by invitations, never here. */
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

export class ExternalUsersService {
  async update(ctx: RequestContext, input: ExternalUserChange): Promise<string> {
    const id = input.externalUserId;
    const tenantId = await tenantOf(ctx, 'ExternalUser', ExternalUser, id, 'externalUserId');
    const change = checkChange(input);
    await ctx.transaction(tenantId, async ({ em }) => {
      Object.assign(await em.findOneOrFail(ExternalUser, { id }), change);
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
