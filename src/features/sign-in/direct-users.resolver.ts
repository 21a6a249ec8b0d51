/** Adding people without an invitation, over GraphQL. */
import { Arg, Ctx, Field, Mutation, ObjectType, Resolver } from 'type-graphql';
import type { Row } from '../../database/table.js';
import { type Answer, answer } from '../../request/answer.js';
import { rowById } from '../../request/lookup.js';
import { Requires } from '../../request/permission.js';
import type { RequestContext } from '../../request/request-context.js';
import { UserErrorType } from '../../request/user-error.type.js';
import { ExternalUser } from '../external-users/external-user.entity.js';
import { AddExternalUserInput } from './direct-users.inputs.js';
import type { DirectUsersService } from './direct-users.service.js';

@ObjectType({ simpleResolvers: true })
export class AddExternalUserPayload {
  @Field(() => ExternalUser, { nullable: true })
  externalUser!: Row<ExternalUser> | null;

  @Field(() => String, { nullable: true, description: 'Where the person signs in. The same for everybody; no secret.' })
  signInUrl!: string | null;

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[];
}

@Resolver()
export class DirectUsersResolver {
  readonly #users: DirectUsersService;
  readonly #publicUrl: URL;

  constructor(users: DirectUsersService, publicUrl: URL) {
    this.#users = users;
    this.#publicUrl = publicUrl;
  }

  @Requires('INVITATION_WRITE')
  @Mutation(() => AddExternalUserPayload, {
    description: 'Adds a guest without an invitation and without a mail: they accept by signing in for the first time.',
  })
  addExternalUser(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => AddExternalUserInput) input: AddExternalUserInput,
  ): Promise<Answer<AddExternalUserPayload>> {
    return answer(async () => {
      const { externalUserId, signInPath } = await this.#users.add(ctx, {
        ...input,
        displayName: input.displayName ?? null,
        appIds: input.appIds ?? [],
        groupIds: input.groupIds ?? [],
        language: input.language ?? null,
        idempotencyKey: input.idempotencyKey ?? null,
      });
      const signInUrl = new URL(signInPath, this.#publicUrl).href;
      return { externalUser: await rowById(ctx, ExternalUser, externalUserId), signInUrl };
    });
  }
}
