/** Who wants no more invitations, for operators. Taking it back is up to the person alone. */
import { Args, Ctx, FieldResolver, Resolver, Root } from 'type-graphql';
import type { Row } from '../../database/table.js';
import { type Connection, connectionType, PageArgs, readConnection } from '../../request/connection.js';
import type { RequestContext } from '../../request/request-context.js';
import { Tenant } from '../tenants/tenant.entity.js';
import { type UnsubscribedRecipientRow, unsubscribedRecipientsOfTenant } from './unsubscribe.queries.js';
import { UnsubscribedRecipient } from './unsubscribed-recipient.entity.js';

const UnsubscribedRecipientConnection = connectionType('UnsubscribedRecipient', () => UnsubscribedRecipient);

@Resolver(() => Tenant)
export class TenantUnsubscribedRecipientsResolver {
  @FieldResolver(() => UnsubscribedRecipientConnection, { description: 'They are refused as RECIPIENT_UNSUBSCRIBED.' })
  unsubscribedRecipients(
    @Ctx() ctx: RequestContext,
    @Root() tenant: Row<Tenant>,
    @Args(() => PageArgs) page: PageArgs,
  ): Promise<Connection<UnsubscribedRecipientRow>> {
    return readConnection(ctx, tenant.id, unsubscribedRecipientsOfTenant(ctx), page);
  }
}
