/** Dashboards of a tenant: counts, funnel and timeline. */
import { Arg, Ctx, FieldResolver, Resolver, Root } from 'type-graphql';
import type { Row } from '../../database/table.js';
import { graphqlEnum } from '../../request/graphql-enum.js';
import type { RequestContext } from '../../request/request-context.js';
import { Tenant } from '../tenants/tenant.entity.js';
import { InvitationFilter } from './invitation.inputs.js';
import {
  invitationCounts,
  redemptionFunnel,
  redemptionTimeline,
  type TimeBucket,
  timeBuckets,
} from './invitation-statistics.queries.js';
import { InvitationCounts, RedemptionFunnel, TimelinePoint } from './invitation-statistics.type.js';
import { selectInvitations } from './invitations.queries.js';

const TimeBucketEnum = graphqlEnum('TimeBucket', timeBuckets);

@Resolver(() => Tenant)
export class InvitationStatisticsResolver {
  @FieldResolver(() => InvitationCounts)
  async invitationCounts(
    @Ctx() ctx: RequestContext,
    @Root() tenant: Row<Tenant>,
    @Arg('filter', () => InvitationFilter, { nullable: true }) filter: InvitationFilter | null,
  ): Promise<InvitationCounts> {
    return invitationCounts(ctx, 'tenant', tenant.id, await selectInvitations(ctx, tenant.id, filter ?? null));
  }

  @FieldResolver(() => RedemptionFunnel)
  async redemptionFunnel(
    @Ctx() ctx: RequestContext,
    @Root() tenant: Row<Tenant>,
    @Arg('filter', () => InvitationFilter, { nullable: true }) filter: InvitationFilter | null,
  ): Promise<RedemptionFunnel> {
    return redemptionFunnel(ctx, 'tenant', tenant.id, await selectInvitations(ctx, tenant.id, filter ?? null));
  }

  @FieldResolver(() => [TimelinePoint], { description: 'In UTC; at most 1000 points.' })
  async redemptionTimeline(
    @Ctx() ctx: RequestContext,
    @Root() tenant: Row<Tenant>,
    @Arg('from', () => Date) from: Date,
    @Arg('to', () => Date) to: Date,
    @Arg('bucket', () => TimeBucketEnum, { defaultValue: 'DAY' }) bucket: TimeBucket,
    @Arg('filter', () => InvitationFilter, { nullable: true }) filter: InvitationFilter | null,
  ): Promise<TimelinePoint[]> {
    return redemptionTimeline(
      ctx,
      tenant.id,
      { from, to, bucket },
      await selectInvitations(ctx, tenant.id, filter ?? null),
    );
  }
}
