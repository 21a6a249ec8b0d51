/** Credentials over GraphQL: what operators see of them, who has to show a second factor, and the reset of a lost one. */
import { Arg, Ctx, Field, FieldResolver, ID, InputType, Mutation, ObjectType, Resolver, Root } from 'type-graphql';
import type { Row } from '../../database/table.js';
import { type Answer, answer } from '../../request/answer.js';
import { rowById } from '../../request/lookup.js';
import { Requires } from '../../request/permission.js';
import type { RequestContext } from '../../request/request-context.js';
import { UserErrorType } from '../../request/user-error.type.js';
import { ExternalUser } from '../external-users/external-user.entity.js';
import type { ExternalUserRow } from '../external-users/external-users.queries.js';
import { Tenant } from '../tenants/tenant.entity.js';
import { Credential } from './credential.type.js';
import { updateSecondFactorPolicy } from './second-factor-policy.service.js';
import { type CredentialRow, credentialsOf } from './second-factors.queries.js';
import type { SecondFactorsService } from './second-factors.service.js';

@InputType()
export class ResetSecondFactorInput {
  @Field(() => ID)
  externalUserId!: string;
}

@InputType()
export class UpdateSecondFactorPolicyInput {
  @Field(() => ID)
  tenantId!: string;

  @Field(() => Boolean)
  required!: boolean;
}

@ObjectType({ simpleResolvers: true })
export class SecondFactorPolicyPayload {
  @Field(() => Tenant, { nullable: true })
  tenant!: Row<Tenant> | null;

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[];
}

@ObjectType({ simpleResolvers: true })
export class ResetSecondFactorPayload {
  @Field(() => ExternalUser, { nullable: true })
  externalUser!: ExternalUserRow | null;

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[];
}

@Resolver(() => ExternalUser)
export class CredentialsResolver {
  readonly #secondFactors: SecondFactorsService;

  constructor(secondFactors: SecondFactorsService) {
    this.#secondFactors = secondFactors;
  }

  @FieldResolver(() => [Credential], { description: 'Set at the gateway; the oldest first.' })
  credentials(@Ctx() ctx: RequestContext, @Root() user: ExternalUserRow): Promise<CredentialRow[]> {
    return credentialsOf(ctx, user.id);
  }

  @Requires('EXTERNAL_USER_WRITE')
  @Mutation(() => ResetSecondFactorPayload, {
    description: 'For whoever lost theirs: passkeys, authenticator app and recovery codes are removed, sessions end.',
  })
  resetSecondFactor(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => ResetSecondFactorInput) { externalUserId }: ResetSecondFactorInput,
  ): Promise<Answer<ResetSecondFactorPayload>> {
    return answer(async () => ({
      externalUser: await rowById(ctx, ExternalUser, await this.#secondFactors.reset(ctx, externalUserId)),
    }));
  }

  @Requires('TENANT_WRITE')
  @Mutation(() => SecondFactorPolicyPayload, {
    description: 'Whether guests have to show a second factor. Holds at once, also for who is on the way.',
  })
  updateSecondFactorPolicy(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => UpdateSecondFactorPolicyInput) input: UpdateSecondFactorPolicyInput,
  ): Promise<Answer<SecondFactorPolicyPayload>> {
    return answer(async () => ({ tenant: await rowById(ctx, Tenant, await updateSecondFactorPolicy(ctx, input)) }));
  }
}
