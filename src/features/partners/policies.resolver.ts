/** Policies of tenants over GraphQL. */
import { Arg, Ctx, Field, FieldResolver, Mutation, ObjectType, Resolver, Root } from 'type-graphql';
import type { Row } from '../../database/table.js';
import { type Answer, answerWarning } from '../../request/answer.js';
import { rowById } from '../../request/lookup.js';
import { Requires } from '../../request/permission.js';
import type { RequestContext } from '../../request/request-context.js';
import { UserErrorType } from '../../request/user-error.type.js';
import { Tenant } from '../tenants/tenant.entity.js';
import { lockOutWarnings, stoppedByDomainWarnings } from './locked-out.queries.js';
import { signInPolicyOfTenant } from './partners.queries.js';
import { UpdateDomainPolicyInput, UpdateSignInPolicyInput } from './policies.inputs.js';
import type { PoliciesService } from './policies.service.js';
import { DomainPolicy, SignInPolicy } from './policies.type.js';

@ObjectType({ simpleResolvers: true })
export class TenantPolicyPayload {
  @Field(() => Tenant, { nullable: true })
  tenant!: Row<Tenant> | null;

  @Field(() => [String], { description: 'Whom the change leaves outside.' })
  warnings!: string[];

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[];
}

@Resolver(() => Tenant)
export class PoliciesResolver {
  readonly #policies: PoliciesService;

  constructor(policies: PoliciesService) {
    this.#policies = policies;
  }

  @FieldResolver(() => SignInPolicy)
  signInPolicy(@Ctx() ctx: RequestContext, @Root() tenant: Row<Tenant>): Promise<SignInPolicy> {
    return signInPolicyOfTenant(ctx, tenant.id);
  }

  @FieldResolver(() => DomainPolicy)
  domainPolicy(@Root() { domainRule, domainPatterns }: Row<Tenant>): DomainPolicy {
    return { rule: domainRule, domains: domainPatterns };
  }

  @Requires('TENANT_WRITE')
  @Mutation(() => TenantPolicyPayload, {
    description: 'By what guests prove their address. Holds at once, also for who is on the way.',
  })
  updateSignInPolicy(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => UpdateSignInPolicyInput) input: UpdateSignInPolicyInput,
  ): Promise<Answer<TenantPolicyPayload>> {
    return answerWarning(async () => {
      const id = await this.#policies.updateSignInPolicy(ctx, input);
      return { tenant: await rowById(ctx, Tenant, id), warnings: await lockOutWarnings(ctx, id) };
    });
  }

  @Requires('TENANT_WRITE')
  @Mutation(() => TenantPolicyPayload, {
    description: 'Whom the tenant takes as guests. Who accepted before stays; open invitations are stopped.',
  })
  updateDomainPolicy(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => UpdateDomainPolicyInput) input: UpdateDomainPolicyInput,
  ): Promise<Answer<TenantPolicyPayload>> {
    return answerWarning(async () => {
      const id = await this.#policies.updateDomainPolicy(ctx, input);
      const tenant = await rowById(ctx, Tenant, id);
      return { tenant, warnings: tenant ? await stoppedByDomainWarnings(ctx, tenant, id) : [] };
    });
  }
}
