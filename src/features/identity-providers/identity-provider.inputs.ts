/** What callers send about identity providers. Secrets go in and never come out. */
import { Field, ID, InputType } from 'type-graphql';
import { type IdentityProviderKind, IdentityProviderKindEnum } from '../external-users/identity.entity.js';
import type { ClientAuthentication } from './client-authentication.js';
import type { SamlNameIdFormat } from './connector.port.js';
import type { OpenIdConnectPreset } from './openid-connect-presets.rules.js';
import { ClientAuthenticationEnum, OpenIdConnectPresetEnum } from './openid-connect-provider.type.js';
import { SamlNameIdFormatEnum } from './saml-provider.entity.js';

@InputType()
export class OpenIdConnectInput {
  @Field(() => OpenIdConnectPresetEnum, { defaultValue: 'GENERIC', description: 'Never changes.' })
  preset!: OpenIdConnectPreset;

  @Field(() => String, {
    nullable: true,
    description:
      "The provider's issuer: an https URL whose discovery document names the same. Presets with one issuer need none.",
  })
  issuer?: string | null;

  @Field(() => String)
  clientId!: string;

  @Field(() => String, { nullable: true, description: 'Null: a public client, which proves itself by PKCE alone.' })
  clientSecret?: string | null;

  @Field(() => ClientAuthenticationEnum, {
    nullable: true,
    description: 'PRIVATE_KEY: by a key of ours, see oidc.jwksUrl. Null: by the secret, if there is one.',
  })
  clientAuthentication?: ClientAuthentication | null;

  @Field(() => [String], { defaultValue: ['email', 'profile'], description: 'Besides openid.' })
  scopes!: string[];
}

@InputType({ description: 'Give the metadata by its URL or as XML.' })
export class SamlInput {
  @Field(() => String, { nullable: true, description: 'An https URL. Read at once, and again before it ends.' })
  metadataUrl?: string | null;

  @Field(() => String, { nullable: true, description: 'At most 1 MB.' })
  metadataXml?: string | null;

  @Field(() => [String], {
    nullable: true,
    description:
      'PEM. The metadata as a whole has to be signed by one of them, also when it is read again. Empty: by none.',
  })
  metadataCertificates?: string[] | null;

  @Field(() => String, { nullable: true, description: 'Which organisation, where the metadata describes several.' })
  entityId?: string | null;

  @Field(() => SamlNameIdFormatEnum, {
    defaultValue: 'PERSISTENT',
    description: 'Asked for and insisted on. UNSPECIFIED takes any but a transient one.',
  })
  nameIdFormat!: SamlNameIdFormat;

  @Field(() => String, { nullable: true, description: 'Attribute that holds the address. Null: the usual ones.' })
  emailAttribute?: string | null;

  @Field(() => String, { nullable: true, description: 'Attribute that holds the name. Null: the usual ones.' })
  displayNameAttribute?: string | null;

  @Field(() => String, {
    nullable: true,
    description:
      'Attribute by which a person is known again, one that never changes and is never reused. Null: the NameID.',
  })
  subjectAttribute?: string | null;

  @Field(() => Boolean, {
    defaultValue: false,
    description: 'Whether its portal may begin a sign-in, of people who are linked to it already. It never redeems.',
  })
  allowsUnrequestedSignIn!: boolean;
}

@InputType({ description: 'Fields left out stay as they are. Metadata given anew is read at once.' })
export class UpdateSamlInput {
  @Field(() => String, { nullable: true })
  metadataUrl?: string | null;

  @Field(() => String, { nullable: true })
  metadataXml?: string | null;

  @Field(() => [String], {
    nullable: true,
    description:
      'PEM. The metadata as a whole has to be signed by one of them, also when it is read again. Empty: by none.',
  })
  metadataCertificates?: string[] | null;

  @Field(() => String, { nullable: true, description: 'Which organisation, where the metadata describes several.' })
  entityId?: string | null;

  @Field(() => SamlNameIdFormatEnum, { nullable: true })
  nameIdFormat?: SamlNameIdFormat | null;

  @Field(() => String, { nullable: true, description: 'Attribute that holds the address. Null: the usual ones.' })
  emailAttribute?: string | null;

  @Field(() => String, { nullable: true, description: 'Attribute that holds the name. Null: the usual ones.' })
  displayNameAttribute?: string | null;

  @Field(() => String, {
    nullable: true,
    description:
      'Attribute by which a person is known again, one that never changes and is never reused. Null: the NameID.',
  })
  subjectAttribute?: string | null;

  @Field(() => Boolean, { nullable: true })
  allowsUnrequestedSignIn?: boolean | null;
}

@InputType()
export class CreateIdentityProviderInput {
  @Field(() => ID)
  tenantId!: string;

  @Field(() => IdentityProviderKindEnum, { description: 'OIDC or SAML; the other kinds cannot be configured.' })
  kind!: IdentityProviderKind;

  @Field(() => String)
  displayName!: string;

  @Field(() => [String], {
    description: 'fabrikam.example, or *.fabrikam.example for all below it. Each once in the tenant.',
  })
  domains!: string[];

  @Field(() => Boolean, {
    defaultValue: false,
    description:
      'Take its word (amr, acr, AuthnContext) that a second factor was shown, where the tenant asks for one.',
  })
  trustsSecondFactor!: boolean;

  @Field(() => OpenIdConnectInput, { nullable: true, description: 'Required for OIDC.' })
  oidc?: OpenIdConnectInput | null;

  @Field(() => SamlInput, { nullable: true, description: 'Required for SAML.' })
  saml?: SamlInput | null;
}

@InputType({ description: 'Fields left out stay as they are; a null secret makes a public client.' })
export class UpdateOpenIdConnectInput {
  @Field(() => String, { nullable: true })
  issuer?: string | null;

  @Field(() => String, { nullable: true })
  clientId?: string | null;

  @Field(() => String, { nullable: true })
  clientSecret?: string | null;

  @Field(() => ClientAuthenticationEnum, { nullable: true })
  clientAuthentication?: ClientAuthentication | null;

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

  @Field(() => Boolean, { nullable: true })
  trustsSecondFactor?: boolean | null;

  @Field(() => UpdateOpenIdConnectInput, { nullable: true })
  oidc?: UpdateOpenIdConnectInput | null;

  @Field(() => UpdateSamlInput, { nullable: true })
  saml?: UpdateSamlInput | null;
}

@InputType()
export class IdentityProviderIdInput {
  @Field(() => ID)
  identityProviderId!: string;
}
