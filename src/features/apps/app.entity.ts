/** A relying party: what guests are invited to. Redirect URIs and home page are the only places a guest is sent to. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { Field, ID, Int, ObjectType } from 'type-graphql';
import {
  booleanColumn,
  idColumn,
  integerColumn,
  jsonColumn,
  keyColumn,
  secretColumn,
  textArrayColumn,
  textColumn,
  timeColumn,
} from '../../database/columns.js';
import { graphqlEnum } from '../../request/graphql-enum.js';
import { Node } from '../../request/node.js';

export const grantTypes = ['AUTHORIZATION_CODE', 'REFRESH_TOKEN', 'CLIENT_CREDENTIALS', 'DEVICE_CODE'] as const;
export type GrantType = (typeof grantTypes)[number];
export const GrantTypeEnum = graphqlEnum('GrantType', grantTypes);

export const clientAuthentications = ['CLIENT_SECRET_BASIC', 'CLIENT_SECRET_POST', 'PRIVATE_KEY_JWT', 'NONE'] as const;
export type ClientAuthentication = (typeof clientAuthentications)[number];
export const ClientAuthenticationEnum = graphqlEnum('ClientAuthentication', clientAuthentications);

export const signingAlgorithms = ['ES256', 'RS256', 'EDDSA'] as const;
export type SigningAlgorithm = (typeof signingAlgorithms)[number];
export const SigningAlgorithmEnum = graphqlEnum('SigningAlgorithm', signingAlgorithms);

export const subjectTypes = ['PUBLIC', 'PAIRWISE'] as const;
export type SubjectType = (typeof subjectTypes)[number];
export const SubjectTypeEnum = graphqlEnum('SubjectType', subjectTypes);

@ObjectType({ implements: Node, simpleResolvers: true, description: 'A relying party guests are invited to.' })
@Entity({ tableName: 'app' })
export class App implements Node {
  @Field(() => ID)
  @PrimaryKey(idColumn())
  id!: string;

  @Property(idColumn())
  tenantId!: string;

  @Field(() => String)
  @Property(textColumn())
  displayName!: string;

  /** Unique per tenant: `nameKey(displayName)`. */
  @Property(keyColumn())
  nameKey!: string;

  @Field(() => String)
  @Property(keyColumn())
  clientId!: string;

  @Property(secretColumn())
  clientSecretHash!: Buffer;

  /** The secret before the last rotation, valid until `previousSecretExpiresAt`. */
  @Property({ ...secretColumn(), nullable: true })
  previousClientSecretHash!: Buffer | null;

  @Property({ ...timeColumn(), nullable: true, hidden: true })
  previousSecretExpiresAt!: Date | null;

  @Field(() => String, { description: 'Where a guest lands.' })
  @Property(textColumn())
  homePageUrl!: string;

  @Field(() => [String])
  @Property(textArrayColumn())
  redirectUris!: string[];

  @Field(() => Boolean)
  @Property(booleanColumn())
  assignmentRequired!: boolean;

  @Field(() => [String])
  @Property(textArrayColumn())
  roles!: string[];

  @Field(() => Boolean, { description: 'A disabled app signs nobody in, and its tokens are worth nothing.' })
  @Property(booleanColumn())
  enabled!: boolean;

  @Field(() => String, {
    nullable: true,
    description: 'Where the app begins a sign-in when it is asked to (OpenID Connect Core 1.0 section 4).',
  })
  @Property({ ...textColumn(), nullable: true })
  initiateLoginUrl!: string | null;

  @Field(() => String, { nullable: true })
  @Property({ ...textColumn(), nullable: true })
  logoUrl!: string | null;

  @Field(() => [String], { description: 'Where the app may have a guest sent after signing out.' })
  @Property(textArrayColumn())
  postLogoutRedirectUris!: string[];

  @Field(() => String, {
    nullable: true,
    description: 'Told when a sign-in has ended (OpenID Connect Back-Channel Logout 1.0).',
  })
  @Property({ ...textColumn(), nullable: true })
  backchannelLogoutUrl!: string | null;

  @Field(() => [GrantTypeEnum])
  @Property(textArrayColumn())
  grantTypes!: GrantType[];

  @Field(() => ClientAuthenticationEnum, { description: 'How the app proves itself at the token endpoint.' })
  @Property(textColumn())
  clientAuthentication!: ClientAuthentication;

  /** Public keys of an app that signs its assertions (RFC 7517); null: none, or at `jwksUrl`. */
  @Property({ ...jsonColumn(), nullable: true })
  jwks!: object | null;

  @Field(() => String, { nullable: true, description: 'Where the public keys of PRIVATE_KEY_JWT are.' })
  @Property({ ...textColumn(), nullable: true })
  jwksUrl!: string | null;

  @Field(() => SigningAlgorithmEnum, { description: 'Of the tokens the app gets.' })
  @Property(textColumn())
  signingAlgorithm!: SigningAlgorithm;

  @Field(() => SubjectTypeEnum, {
    description: 'PAIRWISE: the app gets a `sub` of its own for each user, which tells other apps nothing.',
  })
  @Property(textColumn())
  subjectType!: SubjectType;

  @Field(() => Int, { description: '60 to 300.' })
  @Property(integerColumn())
  accessTokenLifetimeSeconds!: number;

  @Field(() => Int, { description: '1 to 365; each use begins it anew.' })
  @Property(integerColumn())
  refreshTokenLifetimeDays!: number;

  @Field(() => Boolean, { description: 'Only guests who signed in with a second factor get in.' })
  @Property(booleanColumn())
  secondFactorRequired!: boolean;

  @Field(() => Boolean, {
    description:
      'The app may ask for access to the API in the name of operators who agree, and for itself with a role.',
  })
  @Property(booleanColumn())
  apiAccess!: boolean;

  @Field(() => Boolean, {
    description: "Of an app that is not the tenant's own: guests are asked before it gets their data.",
  })
  @Property(booleanColumn())
  consentRequired!: boolean;

  @Property(timeColumn())
  createdAt!: Date;
}
