/** Sessions over GraphQL, for operators: the list of a user, and ending them. */
import { Arg, Args, Ctx, Field, FieldResolver, Mutation, ObjectType, Resolver, Root } from 'type-graphql';
import type { Row } from '../../database/table.js';
import { type Answer, answer } from '../../request/answer.js';
import { type Connection, PageArgs, readConnection } from '../../request/connection.js';
import { rowById } from '../../request/lookup.js';
import { Requires } from '../../request/permission.js';
import type { RequestContext } from '../../request/request-context.js';
import { UserErrorType } from '../../request/user-error.type.js';
import { ExternalUser } from '../external-users/external-user.entity.js';
import { GuestSession, SessionConnection } from './session.entity.js';
import { EndSessionsInput, SessionIdInput } from './sessions.inputs.js';
import { type SessionRow, sessionsOfExternalUser } from './sessions.queries.js';
import type { SessionsService } from './sessions.service.js';

@ObjectType({ simpleResolvers: true })
export class SessionPayload {
  @Field(() => GuestSession, { nullable: true })
  session!: SessionRow | null;

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[];
}

@ObjectType({ simpleResolvers: true })
export class EndSessionsPayload {
  @Field(() => ExternalUser, { nullable: true })
  externalUser!: Row<ExternalUser> | null;

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[];
}

@Resolver(() => ExternalUser)
export class ExternalUserSessionsResolver {
  readonly #sessions: SessionsService;

  constructor(sessions: SessionsService) {
    this.#sessions = sessions;
  }

  @FieldResolver(() => SessionConnection, { description: 'Where the person is signed in.' })
  sessions(
    @Ctx() ctx: RequestContext,
    @Root() user: Row<ExternalUser>,
    @Args(() => PageArgs) page: PageArgs,
    @Arg('includeEnded', () => Boolean, { defaultValue: false }) includeEnded: boolean,
  ): Promise<Connection<SessionRow>> {
    return readConnection(ctx, user.id, sessionsOfExternalUser(ctx, this.#sessions, { includeEnded }), page);
  }
}

@Resolver(() => GuestSession)
export class SessionsResolver {
  readonly #sessions: SessionsService;

  constructor(sessions: SessionsService) {
    this.#sessions = sessions;
  }

  @FieldResolver(() => ExternalUser)
  externalUser(@Ctx() ctx: RequestContext, @Root() session: SessionRow): Promise<Row<ExternalUser> | null> {
    return rowById(ctx, ExternalUser, session.externalUserId);
  }

  @Requires('EXTERNAL_USER_WRITE')
  @Mutation(() => SessionPayload, { description: 'Signs the person out in one browser, at once.' })
  endSession(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => SessionIdInput) { sessionId }: SessionIdInput,
  ): Promise<Answer<SessionPayload>> {
    return answer(async () => {
      await this.#sessions.end(ctx, sessionId, 'ENDED');
      return { session: await rowById(ctx, GuestSession, sessionId) };
    });
  }

  @Requires('EXTERNAL_USER_WRITE')
  @Mutation(() => EndSessionsPayload, { description: 'Signs the person out everywhere, at once.' })
  endSessions(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => EndSessionsInput) { externalUserId }: EndSessionsInput,
  ): Promise<Answer<EndSessionsPayload>> {
    return answer(async () => {
      await this.#sessions.endAllOfUser(ctx, externalUserId);
      return { externalUser: await rowById(ctx, ExternalUser, externalUserId) };
    });
  }
}
