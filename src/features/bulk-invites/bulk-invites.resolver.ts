/** Bulk invites over GraphQL: the object, its rows, its lists on tenant and invitation, the mutation and the subscription. */
import {
  Arg,
  Args,
  Ctx,
  Field,
  FieldResolver,
  ID,
  Int,
  Mutation,
  ObjectType,
  Resolver,
  Root,
  Subscription,
} from 'type-graphql';
import type { Row } from '../../database/table.js';
import { RequestError } from '../../kernel/errors.js';
import { ActorType } from '../../request/actor.type.js';
import { type Answer, answer } from '../../request/answer.js';
import { type Connection, connectionType, PageArgs, readConnection } from '../../request/connection.js';
import { rowById } from '../../request/lookup.js';
import { Requires } from '../../request/permission.js';
import type { RequestContext } from '../../request/request-context.js';
import { UserErrorType } from '../../request/user-error.type.js';
import { Invitation } from '../invitations/invitation.entity.js';
import { invitationCounts, redemptionFunnel } from '../invitations/invitation-statistics.queries.js';
import { InvitationCounts, RedemptionFunnel } from '../invitations/invitation-statistics.type.js';
import { everyInvitation } from '../invitations/invitations.queries.js';
import { Tenant } from '../tenants/tenant.entity.js';
import { BulkInvite } from './bulk-invite.entity.js';
import { BulkInviteIdInput, BulkInviteInput, newBulkInvite } from './bulk-invite.inputs.js';
import { countRows } from './bulk-invite-counts.js';
import { openBulkInviteProgress } from './bulk-invite-progress.js';
import { resultsUrl } from './bulk-invite-results.service.js';
import { BulkInviteRow, type BulkInviteRowOutcome, BulkInviteRowOutcomeEnum } from './bulk-invite-row.entity.js';
import {
  type BulkInviteRecord,
  type BulkInviteRowRecord,
  bulkInvitesOfTenant,
  rowsOfBulkInvite,
} from './bulk-invites.queries.js';
import type { BulkInvitesService } from './bulk-invites.service.js';

const BulkInviteConnection = connectionType('BulkInvite', () => BulkInvite);
const BulkInviteRowConnection = connectionType('BulkInviteRow', () => BulkInviteRow);

@ObjectType({ simpleResolvers: true })
export class BulkInvitePayload {
  @Field(() => BulkInvite, { nullable: true })
  bulkInvite!: BulkInviteRecord | null;

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[];
}

/** type-graphql hands the arguments of a custom `subscribe` over unconverted. */
interface Subscribing {
  args: { id: string };
  context: RequestContext;
}

@Resolver(() => BulkInvite)
export class BulkInvitesResolver {
  readonly #bulkInvites: BulkInvitesService;

  readonly #publicUrl: URL;

  constructor(bulkInvites: BulkInvitesService, publicUrl: URL) {
    this.#bulkInvites = bulkInvites;
    this.#publicUrl = publicUrl;
  }

  @FieldResolver(() => Tenant)
  tenant(@Ctx() ctx: RequestContext, @Root() bulkInvite: BulkInviteRecord): Promise<Row<Tenant> | null> {
    return rowById(ctx, Tenant, bulkInvite.tenantId);
  }

  @FieldResolver(() => ActorType)
  createdBy(@Root() bulkInvite: BulkInviteRecord): ActorType {
    return { kind: bulkInvite.createdByKind, displayName: bulkInvite.createdByName };
  }

  @FieldResolver(() => InvitationCounts, { description: 'What became of its invitations.' })
  counts(@Ctx() ctx: RequestContext, @Root() bulkInvite: BulkInviteRecord): Promise<InvitationCounts> {
    return invitationCounts(ctx, 'bulkInvite', bulkInvite.id, everyInvitation);
  }

  @FieldResolver(() => RedemptionFunnel)
  funnel(@Ctx() ctx: RequestContext, @Root() bulkInvite: BulkInviteRecord): Promise<RedemptionFunnel> {
    return redemptionFunnel(ctx, 'bulkInvite', bulkInvite.id, everyInvitation);
  }

  @FieldResolver(() => Int, { description: 'Invitations whose mail was handed over.' })
  async sentMails(@Ctx() ctx: RequestContext, @Root() bulkInvite: BulkInviteRecord): Promise<number> {
    return (await this.counts(ctx, bulkInvite)).sent;
  }

  @FieldResolver(() => Int, { description: 'Invitations whose mail FAILED or BOUNCED.' })
  async failedMails(@Ctx() ctx: RequestContext, @Root() bulkInvite: BulkInviteRecord): Promise<number> {
    const { failed, bounced } = await this.counts(ctx, bulkInvite);
    return failed + bounced;
  }

  @FieldResolver(() => Int)
  async redeemed(@Ctx() ctx: RequestContext, @Root() bulkInvite: BulkInviteRecord): Promise<number> {
    return (await this.counts(ctx, bulkInvite)).redeemed;
  }

  @FieldResolver(() => BulkInviteRowConnection, { description: 'In the order of the file.' })
  rows(
    @Ctx() ctx: RequestContext,
    @Root() bulkInvite: BulkInviteRecord,
    @Args(() => PageArgs) page: PageArgs,
    @Arg('outcome', () => BulkInviteRowOutcomeEnum, { nullable: true }) outcome: BulkInviteRowOutcome | null,
  ): Promise<Connection<BulkInviteRowRecord>> {
    return readRowsOf(ctx, bulkInvite, outcome ?? null, page);
  }

  @FieldResolver(() => String, {
    description: 'A CSV file of all rows, for an hour: row, email, outcome, code, message, invitationId.',
  })
  resultsUrl(@Ctx() ctx: RequestContext, @Root() bulkInvite: BulkInviteRecord): string {
    return resultsUrl(ctx, this.#publicUrl, bulkInvite.id);
  }

  @Requires('INVITATION_WRITE')
  @Mutation(() => BulkInvitePayload, { description: 'Answers at once; the rows are worked off afterwards.' })
  bulkInvite(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => BulkInviteInput) input: BulkInviteInput,
  ): Promise<Answer<BulkInvitePayload>> {
    return answer(async () => ({
      bulkInvite: await rowById(ctx, BulkInvite, await this.#bulkInvites.create(ctx, newBulkInvite(input))),
    }));
  }

  @Requires('INVITATION_WRITE')
  @Mutation(() => BulkInvitePayload, { description: 'Stops what waits. Invitations already made stay.' })
  cancelBulkInvite(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => BulkInviteIdInput) { bulkInviteId }: BulkInviteIdInput,
  ): Promise<Answer<BulkInvitePayload>> {
    return answer(async () => {
      await this.#bulkInvites.cancel(ctx, bulkInviteId);
      return { bulkInvite: await rowById(ctx, BulkInvite, bulkInviteId) };
    });
  }

  @Requires('INVITATION_WRITE')
  @Mutation(() => BulkInvitePayload, { description: 'The rejected rows once more, as a new bulk invite.' })
  retryBulkInviteRows(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => BulkInviteIdInput) { bulkInviteId }: BulkInviteIdInput,
  ): Promise<Answer<BulkInvitePayload>> {
    return answer(async () => ({
      bulkInvite: await rowById(ctx, BulkInvite, await this.#bulkInvites.retry(ctx, bulkInviteId)),
    }));
  }

  @Requires('INVITATION_READ')
  @Subscription(() => BulkInvite, {
    description: 'At once, on progress (at most four times a second), and when finished; then it completes.',
    subscribe: ({ args, context }: Subscribing) => subscribe(context, args.id),
  })
  bulkInviteProgress(@Root() bulkInvite: BulkInviteRecord, @Arg('id', () => ID) _id: string): BulkInviteRecord {
    return bulkInvite;
  }
}

/** The batch knows how many there are of each. */
async function readRowsOf(
  ctx: RequestContext,
  bulkInvite: BulkInviteRecord,
  outcome: BulkInviteRowOutcome | null,
  page: PageArgs,
): Promise<Connection<BulkInviteRowRecord>> {
  const rows = await readConnection<BulkInviteRowRecord>(
    ctx,
    bulkInvite.id,
    rowsOfBulkInvite(bulkInvite, outcome),
    page,
  );
  return { ...rows, totalCount: async () => countRows(bulkInvite, outcome) };
}

async function subscribe(ctx: RequestContext, id: string): Promise<AsyncIterableIterator<BulkInviteRecord>> {
  if (!(await rowById(ctx, BulkInvite, id))) throw new RequestError('NOT_FOUND');
  return openBulkInviteProgress(ctx, id);
}

@Resolver(() => BulkInviteRow)
export class BulkInviteRowsResolver {
  @FieldResolver(() => Invitation, { nullable: true })
  async invitation(@Ctx() ctx: RequestContext, @Root() row: BulkInviteRowRecord): Promise<Row<Invitation> | null> {
    return row.invitationId ? rowById(ctx, Invitation, row.invitationId) : null;
  }
}

@Resolver(() => Tenant)
export class TenantBulkInvitesResolver {
  @FieldResolver(() => BulkInviteConnection)
  bulkInvites(
    @Ctx() ctx: RequestContext,
    @Root() tenant: Row<Tenant>,
    @Args(() => PageArgs) page: PageArgs,
  ): Promise<Connection<BulkInviteRecord>> {
    return readConnection(ctx, tenant.id, bulkInvitesOfTenant(ctx), page);
  }
}

@Resolver(() => Invitation)
export class InvitationBulkInviteResolver {
  @FieldResolver(() => BulkInvite, { nullable: true })
  async bulkInvite(@Ctx() ctx: RequestContext, @Root() invitation: Row<Invitation>): Promise<BulkInviteRecord | null> {
    return invitation.bulkInviteId ? rowById(ctx, BulkInvite, invitation.bulkInviteId) : null;
  }
}
