/** A person in a tenant's directory who signs in with an identity kept elsewhere. Made at invitation, before any proof. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { Field, ID, ObjectType } from 'type-graphql';
import { booleanColumn, idColumn, keyColumn, textColumn, timeColumn } from '../../database/columns.js';
import { connectionType } from '../../request/connection.js';
import { graphqlEnum } from '../../request/graphql-enum.js';
import { Node } from '../../request/node.js';

const externalUserTypes = ['GUEST', 'MEMBER'] as const;
export type ExternalUserType = (typeof externalUserTypes)[number];
export const ExternalUserTypeEnum = graphqlEnum('ExternalUserType', externalUserTypes);

const externalUserStates = ['PENDING_ACCEPTANCE', 'ACCEPTED'] as const;
export type ExternalUserState = (typeof externalUserStates)[number];
export const ExternalUserStateEnum = graphqlEnum('ExternalUserState', externalUserStates);

@ObjectType({
  implements: Node,
  simpleResolvers: true,
  description: 'A person from outside in the directory of a tenant.',
})
@Entity({ tableName: 'external_user' })
export class ExternalUser implements Node {
  @Field(() => ID)
  @PrimaryKey(idColumn())
  id!: string;

  @Property(idColumn())
  tenantId!: string;

  @Field(() => String)
  @Property(textColumn())
  email!: string;

  /** What two spellings of the address share; unique per tenant. */
  @Property(keyColumn())
  emailKey!: string;

  @Field(() => String, { nullable: true })
  @Property({ ...textColumn(), nullable: true })
  displayName!: string | null;

  @Field(() => String, { description: 'local_domain#EXT#@tenant' })
  @Property(keyColumn())
  userPrincipalName!: string;

  @Field(() => ExternalUserTypeEnum)
  @Property(textColumn())
  userType!: ExternalUserType;

  @Field(() => String, { description: 'How the user came to be: Invitation, or Direct, which is without one.' })
  @Property(textColumn())
  creationType!: string;

  @Field(() => ExternalUserStateEnum)
  @Property(textColumn())
  state!: ExternalUserState;

  @Field(() => Date)
  @Property(timeColumn())
  stateChangedAt!: Date;

  @Field(() => Boolean)
  @Property(booleanColumn())
  accountEnabled!: boolean;

  @Field(() => String, { nullable: true })
  @Property({ ...textColumn(), nullable: true })
  preferredLanguage!: string | null;

  @Field(() => Date)
  @Property(timeColumn())
  createdAt!: Date;

  @Field(() => Date, { nullable: true, description: 'Since when the user is deleted; restorable for 30 days.' })
  @Property({ ...timeColumn(), nullable: true })
  deletedAt!: Date | null;

  @Field(() => Date, { nullable: true })
  @Property({ ...timeColumn(), nullable: true })
  lastSignInAt!: Date | null;
}

/** Here, because lists of users are fields of several features and the schema has one type of a name. */
export const ExternalUserConnection = connectionType('ExternalUser', () => ExternalUser);
