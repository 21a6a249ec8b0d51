/** Invitations over GraphQL: the object, its lists on tenant and user, and the inviter's mutations. */
import { Arg, Args, Ctx, Field, FieldResolver, Mutation, ObjectType, Resolver, Root } from 'type-graphql';
import type { Row } from '../../database/table.js';
import { UserError } from '../../kernel/errors.js';
import { ActorType } from '../../request/actor.type.js';
import { type Answer, answer } from '../../request/answer.js';
import { type Connection, connectionType, PageArgs, readConnection } from '../../request/connection.js';
import { rowById } from '../../request/lookup.js';
import { Requires } from '../../request/permission.js';
import type { RequestContext } from '../../request/request-context.js';
import { UserErrorType } from '../../request/user-error.type.js';
import { App } from '../apps/app.entity.js';
import { ExternalUser } from '../external-users/external-user.entity.js';
import { Group } from '../groups/group.entity.js';
import { Tenant } from '../tenants/tenant.entity.js';
import { Invitation, InvitationStatusEnum } from './invitation.entity.js';
import { InvitationFilter, InvitationIdInput, InvitationOrder, InviteUserInput } from './invitation.inputs.js';
import { type InvitationStatus, mayTransition, statusAt } from './invitation.states.js';
import {
  appsGranted,
  groupsGranted,
  type InvitationRow,
  invitationsOfTenant,
  invitationsOfUser,
} from './invitations.queries.js';
import { type InvitationsService, type Invited, InviteRefused } from './invitations.service.js';

const InvitationConnection = connectionType('Invitation', () => Invitation);

@ObjectType({ simpleResolvers: true })
export class InviteUserPayload {
  @Field(() => Invitation, { nullable: true })
  invitation!: InvitationRow | null;

  @Field(() => Invitation, { nullable: true, description: 'The one that stands in the way, with ALREADY_INVITED.' })
  existingInvitation!: InvitationRow | null;

  /** A function, so that it is read only when asked for. */
  @Field(() => ExternalUser, { nullable: true })
  externalUser!: () => Promise<Row<ExternalUser> | null> | null;

  @Field(() => String, { nullable: true, description: 'Shown once; needs REDEEM_URL_READ.' })
  redeemUrl!: string | null;

  @Field(() => [String])
  warnings!: string[];

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[];
}

@ObjectType({ simpleResolvers: true })
export class InvitationPayload {
  @Field(() => Invitation, { nullable: true })
  invitation!: InvitationRow | null;

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[];
}

@Resolver(() => Invitation)
export class InvitationsResolver {
  readonly #invitations: InvitationsService;

  constructor(invitations: InvitationsService) {
    this.#invitations = invitations;
  }

  @FieldResolver(() => Tenant)
  tenant(@Ctx() ctx: RequestContext, @Root() invitation: InvitationRow): Promise<Row<Tenant> | null> {
    return rowById(ctx, Tenant, invitation.tenantId);
  }

  @FieldResolver(() => InvitationStatusEnum)
  status(@Ctx() ctx: RequestContext, @Root() invitation: InvitationRow): InvitationStatus {
    return statusAt(invitation, ctx.clock.now());
  }

  @FieldResolver(() => Date, { nullable: true })
  expiredAt(@Ctx() ctx: RequestContext, @Root() invitation: InvitationRow): Date | null {
    return statusAt(invitation, ctx.clock.now()) === 'EXPIRED' ? invitation.expiresAt : null;
  }

  @FieldResolver(() => ExternalUser)
  externalUser(@Ctx() ctx: RequestContext, @Root() invitation: InvitationRow): Promise<Row<ExternalUser> | null> {
    return rowById(ctx, ExternalUser, invitation.externalUserId);
  }

  @FieldResolver(() => ActorType)
  invitedBy(@Root() invitation: InvitationRow): ActorType {
    return { kind: invitation.invitedByKind, displayName: invitation.invitedByName };
  }

  @FieldResolver(() => [App], { description: 'What it grants when accepted.' })
  apps(@Ctx() ctx: RequestContext, @Root() invitation: InvitationRow): Promise<Row<App>[]> {
    return appsGranted(ctx, invitation.id);
  }

  @FieldResolver(() => [Group], { description: 'What it grants when accepted.' })
  groups(@Ctx() ctx: RequestContext, @Root() invitation: InvitationRow): Promise<Row<Group>[]> {
    return groupsGranted(ctx, invitation.id);
  }

  @FieldResolver(() => App, { nullable: true })
  async landingApp(@Ctx() ctx: RequestContext, @Root() invitation: InvitationRow): Promise<Row<App> | null> {
    return invitation.landingAppId ? rowById(ctx, App, invitation.landingAppId) : null;
  }

  @FieldResolver(() => Boolean)
  isResendable(@Ctx() ctx: RequestContext, @Root() invitation: InvitationRow): boolean {
    return mayTransition('resend', invitation, ctx.clock.now());
  }

  @FieldResolver(() => Boolean)
  isRevocable(@Ctx() ctx: RequestContext, @Root() invitation: InvitationRow): boolean {
    return mayTransition('revoke', invitation, ctx.clock.now());
  }

  @Requires('INVITATION_WRITE')
  @Mutation(() => InviteUserPayload)
  inviteUser(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => InviteUserInput) input: InviteUserInput,
  ): Promise<Answer<InviteUserPayload>> {
    return inviteAnswer(ctx, () =>
      this.#invitations.invite(ctx, {
        tenantId: input.tenantId,
        email: input.email,
        displayName: input.displayName ?? null,
        apps: input.appIds ?? [],
        groups: input.groupIds ?? [],
        landingApp: input.landingAppId ?? null,
        redirectUrl: input.redirectUrl ?? null,
        message: input.message ?? null,
        inviterName: input.inviterName ?? null,
        language: input.language ?? null,
        cc: input.ccRecipients ?? [],
        sendMail: input.sendMail,
        expiresInDays: input.expiresInDays ?? null,
        idempotencyKey: input.idempotencyKey ?? null,
      }),
    );
  }

  @Requires('INVITATION_WRITE')
  @Mutation(() => InviteUserPayload, { description: 'A new link by mail; the old one dies.' })
  resendInvitation(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => InvitationIdInput) input: InvitationIdInput,
  ): Promise<Answer<InviteUserPayload>> {
    return inviteAnswer(ctx, () => this.#invitations.resend(ctx, input.invitationId));
  }

  @Requires('INVITATION_WRITE')
  @Mutation(() => InvitationPayload)
  revokeInvitation(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => InvitationIdInput) input: InvitationIdInput,
  ): Promise<Answer<InvitationPayload>> {
    return answer(async () => ({
      invitation: await rowById(ctx, Invitation, await this.#invitations.revoke(ctx, input.invitationId)),
    }));
  }
}

/** The link opens the invitation for whoever has it, so reading it takes a permission of its own. */
async function inviteAnswer(ctx: RequestContext, invite: () => Promise<Invited>): Promise<Answer<InviteUserPayload>> {
  try {
    const { invitationId, redeemUrl, warnings } = await invite();
    const invitation = await rowById(ctx, Invitation, invitationId);
    return {
      invitation,
      externalUser: () => invitation && rowById(ctx, ExternalUser, invitation.externalUserId),
      redeemUrl: ctx.actor.permissions.has('REDEEM_URL_READ') ? redeemUrl : null,
      warnings,
      userErrors: [],
    };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { ...(await inTheWay(ctx, error)), warnings: [], userErrors: error.entries };
  }
}

async function inTheWay(ctx: RequestContext, error: UserError): Promise<Partial<InviteUserPayload>> {
  if (!(error instanceof InviteRefused)) return {};
  const { existingInvitationId, externalUserId } = error;
  return {
    existingInvitation: existingInvitationId ? await rowById(ctx, Invitation, existingInvitationId) : null,
    externalUser: () => (externalUserId ? rowById(ctx, ExternalUser, externalUserId) : null),
  };
}

@Resolver(() => Tenant)
export class TenantInvitationsResolver {
  @FieldResolver(() => InvitationConnection)
  async invitations(
    @Ctx() ctx: RequestContext,
    @Root() tenant: Row<Tenant>,
    @Args(() => PageArgs) page: PageArgs,
    @Arg('filter', () => InvitationFilter, { nullable: true }) filter: InvitationFilter | null,
    @Arg('orderBy', () => InvitationOrder, { nullable: true }) orderBy: InvitationOrder | null,
  ): Promise<Connection<InvitationRow>> {
    return readConnection(
      ctx,
      tenant.id,
      await invitationsOfTenant(ctx, tenant.id, filter ?? null, orderBy ?? null),
      page,
    );
  }
}

@Resolver(() => ExternalUser)
export class ExternalUserInvitationsResolver {
  @FieldResolver(() => InvitationConnection)
  invitations(
    @Ctx() ctx: RequestContext,
    @Root() user: Row<ExternalUser>,
    @Args(() => PageArgs) page: PageArgs,
  ): Promise<Connection<InvitationRow>> {
    return readConnection(ctx, user.id, invitationsOfUser(ctx), page);
  }
}
