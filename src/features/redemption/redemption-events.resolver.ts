/** The feed over GraphQL: history as connections, the cursor to resume from, and the subscription. */
import { Arg, Args, Ctx, FieldResolver, ID, Resolver, Root, Subscription } from 'type-graphql';
import type { Row } from '../../database/table.js';
import { decodeFeedCursor, encodeFeedCursor, type FeedPlace, feedStart } from '../../events/feed-place.js';
import { type FeedItem, openFeedStream } from '../../events/feed-stream.js';
import { RequestError } from '../../kernel/errors.js';
import type { ShareableStream } from '../../kernel/shareable-stream.js';
import { type Connection, connectionType, PageArgs } from '../../request/connection.js';
import { rowById } from '../../request/lookup.js';
import { Requires } from '../../request/permission.js';
import type { RequestContext } from '../../request/request-context.js';
import { ExternalUser } from '../external-users/external-user.entity.js';
import { Invitation } from '../invitations/invitation.entity.js';
import { Tenant } from '../tenants/tenant.entity.js';
import { publishEvent, readHistory, toFeedFilter } from './redemption-events.queries.js';
import {
  type FeedCheckpoint,
  type FeedLagged,
  RedemptionEvent,
  RedemptionEventFilter,
  RedemptionFeedItem,
} from './redemption-events.type.js';

const RedemptionEventConnection = connectionType('RedemptionEvent', () => RedemptionEvent);

interface SubscriptionArgs {
  tenantId: string;
  after?: string | null;
  filter?: RedemptionEventFilter | null;
}

/** type-graphql hands the arguments of a custom `subscribe` over unconverted. */
interface Subscribing {
  args: SubscriptionArgs;
  context: RequestContext;
}

@Resolver(() => RedemptionEvent)
export class RedemptionEventsResolver {
  @Requires('EVENT_READ')
  @Subscription(() => RedemptionFeedItem, {
    description: 'At least once, in order. `after`: a cursor, "START", or null for live only.',
    subscribe: ({ args, context }: Subscribing) => subscribe(context, args),
  })
  redemptionEvents(
    @Ctx() ctx: RequestContext,
    @Root() item: FeedItem,
    @Arg('tenantId', () => ID) _tenantId: string,
    @Arg('after', () => String, { nullable: true }) _after?: string,
    @Arg('filter', () => RedemptionEventFilter, { nullable: true }) _filter?: RedemptionEventFilter,
  ): RedemptionEvent | FeedCheckpoint | FeedLagged {
    if (item.kind === 'event') return publishEvent(ctx, item.event);
    const cursor = encodeFeedCursor(ctx.secrets, item.tenantId, item.place);
    return item.kind === 'checkpoint' ? { kind: 'checkpoint', cursor } : { kind: 'lagged', resumeAfter: cursor };
  }

  @FieldResolver(() => Invitation, { nullable: true, description: 'Its state now, not then.' })
  invitation(@Ctx() ctx: RequestContext, @Root() event: RedemptionEvent): Promise<Row<Invitation> | null> {
    return rowById(ctx, Invitation, event.invitationId);
  }

  @FieldResolver(() => ExternalUser, { nullable: true, description: 'Its state now, not then.' })
  async externalUser(@Ctx() ctx: RequestContext, @Root() event: RedemptionEvent): Promise<Row<ExternalUser> | null> {
    return event.externalUserId ? rowById(ctx, ExternalUser, event.externalUserId) : null;
  }
}

@Resolver(() => Tenant)
export class TenantEventsResolver {
  @FieldResolver(() => RedemptionEventConnection, { description: "The feed's history, newest first." })
  redemptionEvents(
    @Ctx() ctx: RequestContext,
    @Root() tenant: Row<Tenant>,
    @Args(() => PageArgs) page: PageArgs,
    @Arg('filter', () => RedemptionEventFilter, { nullable: true }) filter: RedemptionEventFilter | null,
  ): Promise<Connection<RedemptionEvent>> {
    return readHistory(ctx, { tenantId: tenant.id, invitationId: null }, toFeedFilter(filter), page);
  }

  @FieldResolver(() => String, {
    description: 'Load state, then subscribe(after: feedCursor): no gap between the two.',
  })
  feedCursor(@Ctx() ctx: RequestContext, @Root() tenant: Row<Tenant>): string {
    return encodeFeedCursor(ctx.secrets, tenant.id, ctx.feedPosition);
  }
}

@Resolver(() => Invitation)
export class InvitationEventsResolver {
  @FieldResolver(() => RedemptionEventConnection)
  events(
    @Ctx() ctx: RequestContext,
    @Root() invitation: Row<Invitation>,
    @Args(() => PageArgs) page: PageArgs,
  ): Promise<Connection<RedemptionEvent>> {
    return readHistory(ctx, { tenantId: invitation.tenantId, invitationId: invitation.id }, null, page);
  }
}

async function subscribe(
  ctx: RequestContext,
  { tenantId, after, filter }: SubscriptionArgs,
): Promise<ShareableStream<FeedItem>> {
  if (!(await rowById(ctx, Tenant, tenantId))) throw new RequestError('NOT_FOUND');
  return openFeedStream({
    db: ctx.db,
    tail: ctx.feed,
    tenantId,
    filter: toFeedFilter(filter),
    after: after == null ? null : placeAfter(ctx, tenantId, after),
  });
}

function placeAfter(ctx: RequestContext, tenantId: string, after: string): FeedPlace {
  return after === 'START' ? feedStart : decodeFeedCursor(ctx.secrets, tenantId, after);
}
