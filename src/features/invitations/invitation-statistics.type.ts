/** Numbers for dashboards, as published. */
import { Field, Float, Int, ObjectType } from 'type-graphql';

@ObjectType({ simpleResolvers: true })
export class InvitationCounts {
  @Field(() => Int)
  total!: number;
  @Field(() => Int)
  pending!: number;
  @Field(() => Int)
  redeemed!: number;
  @Field(() => Int)
  declined!: number;
  @Field(() => Int)
  revoked!: number;
  @Field(() => Int)
  expired!: number;
  @Field(() => Int)
  suppressed!: number;
  @Field(() => Int)
  queued!: number;
  @Field(() => Int)
  sent!: number;
  @Field(() => Int)
  bounced!: number;
  @Field(() => Int)
  failed!: number;
}

@ObjectType({ simpleResolvers: true, description: 'How far the invited came; each step counts an invitation once.' })
export class RedemptionFunnel {
  @Field(() => Int)
  invited!: number;
  @Field(() => Int)
  sent!: number;
  @Field(() => Int)
  started!: number;
  @Field(() => Int)
  proven!: number;
  @Field(() => Int)
  consented!: number;
  @Field(() => Int)
  redeemed!: number;
  @Field(() => Float, { nullable: true })
  medianSecondsToRedeem!: number | null;
}

@ObjectType({ simpleResolvers: true, description: 'What happened in one bucket of time.' })
export class TimelinePoint {
  @Field(() => Date)
  at!: Date;
  @Field(() => Int)
  invited!: number;
  @Field(() => Int)
  sent!: number;
  @Field(() => Int)
  started!: number;
  @Field(() => Int)
  redeemed!: number;
  @Field(() => Int, { description: 'Mails that failed or bounced, at the time of their last sending.' })
  failed!: number;
}
