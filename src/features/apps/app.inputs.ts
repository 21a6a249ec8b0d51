/** What callers send about apps and assignments. */
import { Field, ID, InputType, Int } from 'type-graphql';
import {
  type ClientAuthentication,
  ClientAuthenticationEnum,
  type GrantType,
  GrantTypeEnum,
  type SigningAlgorithm,
  SigningAlgorithmEnum,
  type SubjectType,
  SubjectTypeEnum,
} from './app.entity.js';

/** What an app is as an OpenID Connect client. Left out: the default when it is registered, as it is when it is updated. */
@InputType()
class ClientSettingsInput {
  @Field(() => String, { nullable: true, description: 'An https URL; null: the home page is opened instead.' })
  initiateLoginUrl?: string | null;

  @Field(() => String, { nullable: true, description: 'An https URL.' })
  logoUrl?: string | null;

  @Field(() => [String], { nullable: true, description: 'https URLs, compared character by character. Default: none.' })
  postLogoutRedirectUris?: string[] | null;

  @Field(() => String, { nullable: true, description: 'An https URL.' })
  backchannelLogoutUrl?: string | null;

  @Field(() => [GrantTypeEnum], { nullable: true, description: 'Default: AUTHORIZATION_CODE, REFRESH_TOKEN.' })
  grantTypes?: GrantType[] | null;

  @Field(() => ClientAuthenticationEnum, { nullable: true, description: 'Default: CLIENT_SECRET_BASIC.' })
  clientAuthentication?: ClientAuthentication | null;

  @Field(() => String, { nullable: true, description: 'A JSON Web Key Set of public keys, as JSON (RFC 7517).' })
  jwks?: string | null;

  @Field(() => String, { nullable: true, description: 'An https URL of a JSON Web Key Set.' })
  jwksUrl?: string | null;

  @Field(() => SigningAlgorithmEnum, { nullable: true, description: 'Default: ES256.' })
  signingAlgorithm?: SigningAlgorithm | null;

  @Field(() => SubjectTypeEnum, { nullable: true, description: 'Default: PUBLIC.' })
  subjectType?: SubjectType | null;

  @Field(() => Int, { nullable: true, description: '60 to 300. Default: 300.' })
  accessTokenLifetimeSeconds?: number | null;

  @Field(() => Int, { nullable: true, description: '1 to 365. Default: 14.' })
  refreshTokenLifetimeDays?: number | null;

  @Field(() => Boolean, { nullable: true, description: 'Default: false.' })
  secondFactorRequired?: boolean | null;

  @Field(() => Boolean, { nullable: true, description: 'Default: false.' })
  consentRequired?: boolean | null;

  @Field(() => Boolean, { nullable: true, description: 'Needs ROLE_WRITE as well. Default: false.' })
  apiAccess?: boolean | null;
}

@InputType()
export class RegisterAppInput extends ClientSettingsInput {
  @Field(() => ID)
  tenantId!: string;

  @Field(() => String, { description: 'Unique in the tenant; upper and lower case count as the same.' })
  displayName!: string;

  @Field(() => String, { description: 'Where a guest lands: an https URL.' })
  homePageUrl!: string;

  @Field(() => [String], {
    defaultValue: [],
    description: 'https URLs, compared character by character (RFC 9700 section 2.1).',
  })
  redirectUris!: string[];

  @Field(() => [String], { defaultValue: [], description: 'Each 1 to 64 of A-Z a-z 0-9 . _ : -' })
  roles!: string[];

  @Field(() => Boolean, { defaultValue: true, description: 'Only people assigned to the app may sign in to it.' })
  assignmentRequired!: boolean;
}

@InputType({ description: 'Fields left out stay as they are.' })
export class UpdateAppInput extends ClientSettingsInput {
  @Field(() => ID)
  appId!: string;

  @Field(() => String, { nullable: true })
  displayName?: string | null;

  @Field(() => String, { nullable: true })
  homePageUrl?: string | null;

  @Field(() => [String], { nullable: true })
  redirectUris?: string[] | null;

  @Field(() => [String], { nullable: true, description: 'A role somebody still has cannot be left out.' })
  roles?: string[] | null;

  @Field(() => Boolean, { nullable: true })
  assignmentRequired?: boolean | null;

  @Field(() => Boolean, { nullable: true })
  enabled?: boolean | null;
}

@InputType()
export class AppIdInput {
  @Field(() => ID)
  appId!: string;
}

@InputType({ description: 'Give exactly one of externalUserId and groupId.' })
export class AssignAppInput {
  @Field(() => ID)
  appId!: string;

  @Field(() => ID, { nullable: true })
  externalUserId?: string | null;

  @Field(() => ID, { nullable: true })
  groupId?: string | null;

  @Field(() => String, { nullable: true, description: 'One of the roles of the app.' })
  role?: string | null;
}

@InputType()
export class UnassignAppInput {
  @Field(() => ID)
  appAssignmentId!: string;
}
