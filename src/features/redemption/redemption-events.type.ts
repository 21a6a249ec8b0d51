/** The feed as published. Invitation and user are as they are now, not as they were then. */
import { createUnionType, Field, ID, InputType, ObjectType } from 'type-graphql';
import { type RedemptionEventType, redemptionEventTypes } from '../../events/catalogue.js';
import type { FeedItem } from '../../events/feed-stream.js';
import type { UserErrorCode } from '../../kernel/errors.js';
import { ActorType } from '../../request/actor.type.js';
import { graphqlEnum, UserErrorCodeEnum } from '../../request/graphql-enum.js';

const RedemptionEventTypeEnum = graphqlEnum('RedemptionEventType', redemptionEventTypes);

@ObjectType('RedemptionEvent', { simpleResolvers: true, description: 'One fact in the feed of a tenant.' })
export class RedemptionEvent {
  kind!: 'event';
  invitationId!: string;
  externalUserId!: string | null;

  @Field(() => ID)
  id!: string;

  @Field(() => String, { description: 'The place after this event; resumes the subscription and pages the history.' })
  cursor!: string;

  @Field(() => RedemptionEventTypeEnum)
  type!: RedemptionEventType;

  @Field(() => Date)
  at!: Date;

  @Field(() => ActorType, { nullable: true })
  actor!: ActorType | null;

  @Field(() => UserErrorCodeEnum, { nullable: true })
  reason!: UserErrorCode | null;

  @Field(() => String, { nullable: true })
  detail!: string | null;
}

@ObjectType({
  simpleResolvers: true,
  description: 'Caught up: sent after the replay and then every few seconds of silence.',
})
export class FeedCheckpoint {
  kind!: 'checkpoint';

  @Field(() => String)
  cursor!: string;
}

@ObjectType({
  simpleResolvers: true,
  description: 'Too slow, or older than retention. Ends the stream; subscribe again from here.',
})
export class FeedLagged {
  kind!: 'lagged';

  @Field(() => String)
  resumeAfter!: string;
}

const typeNames: Record<FeedItem['kind'], string> = {
  event: 'RedemptionEvent',
  checkpoint: 'FeedCheckpoint',
  lagged: 'FeedLagged',
};

export const RedemptionFeedItem = createUnionType({
  name: 'RedemptionFeedItem',
  types: () => [RedemptionEvent, FeedCheckpoint, FeedLagged] as const,
  resolveType: (item) => typeNames[item.kind],
});

@InputType()
export class RedemptionEventFilter {
  @Field(() => [RedemptionEventTypeEnum], { nullable: true })
  types?: RedemptionEventType[] | null;

  @Field(() => ID, { nullable: true })
  bulkInviteId?: string | null;

  @Field(() => [ID], { nullable: true })
  invitationIds?: string[] | null;

  @Field(() => ID, { nullable: true, description: 'Of invitations that grant this app or land in it.' })
  appId?: string | null;
}
