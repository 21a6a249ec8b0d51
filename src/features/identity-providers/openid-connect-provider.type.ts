/** An OpenID Connect provider as it is set up, over GraphQL. */
import { Field, ObjectType } from 'type-graphql';
import { graphqlEnum } from '../../request/graphql-enum.js';
import { type ClientAuthentication, clientAuthentications } from './client-authentication.js';
import { type OpenIdConnectPreset, openIdConnectPresets } from './openid-connect-presets.rules.js';

export const OpenIdConnectPresetEnum = graphqlEnum(
  'OpenIdConnectPreset',
  openIdConnectPresets,
  'ENTRA: one organisation. ENTRA_ANY_ORGANIZATION: whichever the domain of the address belongs to. GOOGLE: gmail.com, and Workspace domains that are listed. MICROSOFT_PERSONAL: outlook.com and its like.',
);
export const ClientAuthenticationEnum = graphqlEnum('OpenIdConnectClientAuthentication', clientAuthentications);

@ObjectType({ simpleResolvers: true, description: 'An OpenID Connect provider as it is set up.' })
export class OpenIdConnectProvider {
  @Field(() => OpenIdConnectPresetEnum)
  preset!: OpenIdConnectPreset;

  @Field(() => String)
  clientId!: string;

  @Field(() => ClientAuthenticationEnum)
  clientAuthentication!: ClientAuthentication;

  @Field(() => [String], { description: 'Besides openid.' })
  scopes!: string[];

  @Field(() => String, { description: 'To be registered at the provider.' })
  redirectUri!: string;

  @Field(() => String, { nullable: true, description: 'Our public key, for PRIVATE_KEY.' })
  jwksUrl!: string | null;
}
