/** Assignments over GraphQL, with their lists on apps and external users. */
import {
  Arg,
  Args,
  Ctx,
  createUnionType,
  Field,
  FieldResolver,
  Mutation,
  ObjectType,
  Resolver,
  Root,
} from 'type-graphql';
import type { Row } from '../../database/table.js';
import { typeOfId } from '../../kernel/ids.js';
import { type Answer, answer } from '../../request/answer.js';
import { type Connection, connectionType, PageArgs, readConnection } from '../../request/connection.js';
import { rowById } from '../../request/lookup.js';
import { Requires } from '../../request/permission.js';
import type { RequestContext } from '../../request/request-context.js';
import { UserErrorType } from '../../request/user-error.type.js';
import { ExternalUser } from '../external-users/external-user.entity.js';
import { Group } from '../groups/group.entity.js';
import { App } from './app.entity.js';
import { AssignAppInput, UnassignAppInput } from './app.inputs.js';
import { AppAssignment } from './app-assignment.entity.js';
import type { AppAssignmentsService } from './app-assignments.service.js';
import { type AppAssignmentRow, type AppRow, assignmentsOfApp, assignmentsOfExternalUser } from './apps.queries.js';
import { AppPayload } from './apps.resolver.js';

const AppAssignmentConnection = connectionType('AppAssignment', () => AppAssignment);

const AppPrincipal = createUnionType({
  name: 'AppPrincipal',
  description: 'Whom an app is assigned to.',
  types: () => [ExternalUser, Group] as const,
  resolveType: (principal) => typeOfId(principal.id) ?? undefined,
});

@ObjectType({ simpleResolvers: true })
export class AppAssignmentPayload {
  @Field(() => AppAssignment, { nullable: true })
  appAssignment!: AppAssignmentRow | null;

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[];
}

@Resolver(() => App)
export class AppAssignmentListResolver {
  @FieldResolver(() => AppAssignmentConnection, {
    description: 'What is real now; what open invitations promise is not.',
  })
  assignments(
    @Ctx() ctx: RequestContext,
    @Root() app: AppRow,
    @Args(() => PageArgs) page: PageArgs,
  ): Promise<Connection<AppAssignmentRow>> {
    return readConnection(ctx, app.id, assignmentsOfApp(ctx), page);
  }
}

@Resolver(() => ExternalUser)
export class ExternalUserAppAssignmentsResolver {
  @FieldResolver(() => AppAssignmentConnection, { description: "The user's own; those by a group are the group's." })
  appAssignments(
    @Ctx() ctx: RequestContext,
    @Root() user: Row<ExternalUser>,
    @Args(() => PageArgs) page: PageArgs,
  ): Promise<Connection<AppAssignmentRow>> {
    return readConnection(ctx, user.id, assignmentsOfExternalUser(ctx), page);
  }
}

@Resolver(() => AppAssignment)
export class AppAssignmentsResolver {
  readonly #assignments: AppAssignmentsService;

  constructor(assignments: AppAssignmentsService) {
    this.#assignments = assignments;
  }

  @FieldResolver(() => App)
  app(@Ctx() ctx: RequestContext, @Root() assignment: AppAssignmentRow): Promise<AppRow | null> {
    return rowById(ctx, App, assignment.appId);
  }

  @FieldResolver(() => AppPrincipal)
  principal(
    @Ctx() ctx: RequestContext,
    @Root() { externalUserId, groupId }: AppAssignmentRow,
  ): Promise<Row<ExternalUser> | Row<Group> | null> {
    return externalUserId === null
      ? rowById(ctx, Group, groupId as string)
      : rowById(ctx, ExternalUser, externalUserId);
  }

  @Requires('APP_ASSIGN')
  @Mutation(() => AppAssignmentPayload)
  assignApp(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => AssignAppInput) input: AssignAppInput,
  ): Promise<Answer<AppAssignmentPayload>> {
    return answer(async () => ({
      appAssignment: await rowById(ctx, AppAssignment, await this.#assignments.assign(ctx, input)),
    }));
  }

  @Requires('APP_ASSIGN')
  @Mutation(() => AppPayload)
  unassignApp(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => UnassignAppInput) input: UnassignAppInput,
  ): Promise<Answer<AppPayload>> {
    return answer(async () => ({
      app: await rowById(ctx, App, await this.#assignments.unassign(ctx, input.appAssignmentId)),
    }));
  }
}
