/** Policies as they are shown and given over GraphQL, of tenants and of partners alike. */
import { Field, ObjectType } from 'type-graphql';
import { graphqlEnum } from '../../request/graphql-enum.js';
import {
  type SignInFallback,
  type SignInMethod,
  signInFallbacks,
  signInMethods,
} from '../identity-providers/sign-in-policy.rules.js';
import { type DomainRule, domainRules } from '../tenants/domain-policy.rules.js';

export const SignInMethodEnum = graphqlEnum(
  'SignInMethod',
  signInMethods,
  'TENANT_PROVIDERS: identity providers entitled to a domain. SOCIAL: providers that host mailboxes for everybody.',
);
export const SignInFallbackEnum = graphqlEnum('SignInFallback', signInFallbacks);
export const DomainRuleEnum = graphqlEnum('DomainRule', domainRules);

@ObjectType({ simpleResolvers: true, description: 'By what guests prove their address.' })
export class SignInPolicy {
  @Field(() => [SignInMethodEnum], { description: 'In this order. What is missing is switched off.' })
  order!: SignInMethod[];

  @Field(() => SignInFallbackEnum, {
    description: 'What is offered besides the provider that an address is routed to. An outage adds nothing.',
  })
  fallback!: SignInFallback;
}

@ObjectType({ simpleResolvers: true, description: 'Whom the tenant takes as guests, by the domain of the address.' })
export class DomainPolicy {
  @Field(() => DomainRuleEnum)
  rule!: DomainRule;

  @Field(() => [String], { description: 'fabrikam.example, or *.fabrikam.example for all below it.' })
  domains!: string[];
}
