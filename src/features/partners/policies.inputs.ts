/** What callers send about policies. */
import { Field, ID, InputType } from 'type-graphql';
import type { SignInFallback, SignInMethod } from '../identity-providers/sign-in-policy.rules.js';
import type { DomainRule } from '../tenants/domain-policy.rules.js';
import { DomainRuleEnum, SignInFallbackEnum, SignInMethodEnum } from './policies.type.js';

@InputType()
export class SignInPolicyInput {
  @Field(() => [SignInMethodEnum], { description: 'In this order. What is missing is switched off.' })
  order!: SignInMethod[];

  @Field(() => SignInFallbackEnum, { defaultValue: 'NONE' })
  fallback!: SignInFallback;
}

@InputType()
export class UpdateSignInPolicyInput extends SignInPolicyInput {
  @Field(() => ID)
  tenantId!: string;
}

@InputType()
export class UpdateDomainPolicyInput {
  @Field(() => ID)
  tenantId!: string;

  @Field(() => DomainRuleEnum)
  rule!: DomainRule;

  @Field(() => [String], {
    defaultValue: [],
    description: 'Replaces the list: fabrikam.example, or *.fabrikam.example for all below it. At most 2000.',
  })
  domains!: string[];
}
