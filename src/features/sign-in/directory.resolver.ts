/** People who start over, leave and come back, over GraphQL, for operators. */
import { Arg, Ctx, Field, Mutation, ObjectType, Resolver } from 'type-graphql';
import type { Row } from '../../database/table.js';
import { type Answer, answer } from '../../request/answer.js';
import { rowById } from '../../request/lookup.js';
import { Requires } from '../../request/permission.js';
import type { RequestContext } from '../../request/request-context.js';
import { UserErrorType } from '../../request/user-error.type.js';
import { ExternalUser } from '../external-users/external-user.entity.js';
import { Invitation } from '../invitations/invitation.entity.js';
import type { DeparturesService } from './departures.service.js';
import { ExternalUserIdInput, ResetRedemptionInput } from './directory.inputs.js';
import type { ResetRedemptionService } from './reset-redemption.service.js';

@ObjectType({ simpleResolvers: true })
export class ResetRedemptionPayload {
  @Field(() => ExternalUser, { nullable: true })
  externalUser!: Row<ExternalUser> | null;

  @Field(() => Invitation, { nullable: true })
  invitation!: Row<Invitation> | null;

  @Field(() => String, { nullable: true, description: 'Shown once, and only with REDEEM_URL_READ.' })
  redeemUrl!: string | null;

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[];
}

@ObjectType({ simpleResolvers: true })
export class DirectoryPayload {
  @Field(() => ExternalUser, { nullable: true })
  externalUser!: Row<ExternalUser> | null;

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[];
}

@Resolver()
export class DirectoryResolver {
  readonly #departures: DeparturesService;
  readonly #resets: ResetRedemptionService;

  constructor(departures: DeparturesService, resets: ResetRedemptionService) {
    this.#departures = departures;
    this.#resets = resets;
  }

  @Requires('EXTERNAL_USER_WRITE')
  @Mutation(() => ResetRedemptionPayload, {
    description:
      'The same user, with another address or identity: what they signed in with and their sessions end at once, groups and apps stay, and a new invitation goes out. Needs INVITATION_WRITE as well, and APP_ASSIGN for who bears a role.',
  })
  resetRedemption(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => ResetRedemptionInput) input: ResetRedemptionInput,
  ): Promise<Answer<ResetRedemptionPayload>> {
    return answer(async () => {
      const { invitationId, redeemUrl } = await this.#resets.reset(ctx, {
        externalUserId: input.externalUserId,
        email: input.email ?? null,
        landingAppId: input.landingAppId ?? null,
        message: input.message ?? null,
        inviterName: input.inviterName ?? null,
        language: input.language ?? null,
        sendMail: input.sendMail,
        expiresInDays: input.expiresInDays ?? null,
      });
      return {
        externalUser: await rowById(ctx, ExternalUser, input.externalUserId),
        invitation: await rowById(ctx, Invitation, invitationId),
        redeemUrl: ctx.actor.permissions.has('REDEEM_URL_READ') ? redeemUrl : null,
      };
    });
  }

  @Requires('EXTERNAL_USER_WRITE')
  @Mutation(() => DirectoryPayload, {
    description: 'Out at once; open invitations are revoked. Restorable for 30 days, then the user is gone.',
  })
  deleteExternalUser(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => ExternalUserIdInput) { externalUserId }: ExternalUserIdInput,
  ): Promise<Answer<DirectoryPayload>> {
    return this.#answer(ctx, externalUserId, () => this.#departures.delete(ctx, externalUserId));
  }

  @Requires('EXTERNAL_USER_WRITE')
  @Mutation(() => DirectoryPayload, { description: 'A deleted user with groups, apps and identities, enabled again.' })
  restoreExternalUser(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => ExternalUserIdInput) { externalUserId }: ExternalUserIdInput,
  ): Promise<Answer<DirectoryPayload>> {
    return this.#answer(ctx, externalUserId, () => this.#departures.restore(ctx, externalUserId));
  }

  #answer(ctx: RequestContext, externalUserId: string, work: () => Promise<void>): Promise<Answer<DirectoryPayload>> {
    return answer(async () => {
      await work();
      return { externalUser: await rowById(ctx, ExternalUser, externalUserId) };
    });
  }
}
