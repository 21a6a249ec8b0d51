/** What callers send about identity providers. Secrets go in and never come out. */
import { Field, ID, InputType } from 'type-graphql';
import { type IdentityProviderKind, IdentityProviderKindEnum } from '../external-users/identity.entity.js';

@InputType()
export class OpenIdConnectInput {
  @Field(() => String, { description: "The provider's issuer: an https URL whose discovery document names the same." })
  issuer!: string;

  @Field(() => String)
  clientId!: string;

  @Field(() => String, { nullable: true, description: 'Null: a public client, which proves itself by PKCE alone.' })
  clientSecret?: string | null;

  @Field(() => [String], { defaultValue: ['email', 'profile'], description: 'Besides openid.' })
  scopes!: string[];
}

@InputType()
export class CreateIdentityProviderInput {
  @Field(() => ID)
  tenantId!: string;

  @Field(() => IdentityProviderKindEnum, { description: 'OIDC; the other kinds cannot be configured.' })
  kind!: IdentityProviderKind;

  @Field(() => String)
  displayName!: string;

  @Field(() => [String], {
    description: 'fabrikam.example, or *.fabrikam.example for all below it. Each once in the tenant.',
  })
  domains!: string[];

  @Field(() => OpenIdConnectInput, { nullable: true, description: 'Required for OIDC.' })
  oidc?: OpenIdConnectInput | null;
}

@InputType({ description: 'Fields left out stay as they are; a null secret makes a public client.' })
export class UpdateOpenIdConnectInput {
  @Field(() => String, { nullable: true })
  issuer?: string | null;

  @Field(() => String, { nullable: true })
  clientId?: string | null;

  @Field(() => String, { nullable: true })
  clientSecret?: string | null;

  @Field(() => [String], { nullable: true })
  scopes?: string[] | null;
}

@InputType({ description: 'Fields left out stay as they are.' })
export class UpdateIdentityProviderInput {
  @Field(() => ID)
  identityProviderId!: string;

  @Field(() => String, { nullable: true })
  displayName?: string | null;

  @Field(() => [String], { nullable: true, description: 'Replaces the list.' })
  domains?: string[] | null;

  @Field(() => Boolean, {
    nullable: true,
    description: 'A disabled provider vouches for nobody; its domains stay its own.',
  })
  enabled?: boolean | null;

  @Field(() => UpdateOpenIdConnectInput, { nullable: true })
  oidc?: UpdateOpenIdConnectInput | null;
}

@InputType()
export class IdentityProviderIdInput {
  @Field(() => ID)
  identityProviderId!: string;
}
