/** By what an external user proves who they are: unique by (tenant, provider, issuer, subject). A user may have several. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { Field, ID, ObjectType } from 'type-graphql';
import { idColumn, keyColumn, textColumn, timeColumn } from '../../database/columns.js';
import { graphqlEnum } from '../../request/graphql-enum.js';

const identityProviderKinds = ['OIDC', 'SAML', 'EMAIL_PASSCODE', 'LOCAL'] as const;
export type IdentityProviderKind = (typeof identityProviderKinds)[number];
export const IdentityProviderKindEnum = graphqlEnum('IdentityProviderKind', identityProviderKinds);

@ObjectType({ simpleResolvers: true })
@Entity({ tableName: 'identity' })
export class Identity {
  @Field(() => ID)
  @PrimaryKey(idColumn())
  id!: string;

  @Property(idColumn())
  tenantId!: string;

  @Property(idColumn())
  externalUserId!: string;

  /** The provider that vouched; empty for the e-mail passcode, which is the gateway's own. */
  @Property(idColumn())
  identityProviderId!: string;

  @Field(() => String, { description: "The provider's issuer; `mail` for the e-mail passcode." })
  @Property(keyColumn())
  issuer!: string;

  @Property(keyColumn())
  subject!: string;

  @Field(() => IdentityProviderKindEnum)
  @Property(textColumn())
  signInType!: IdentityProviderKind;

  @Field(() => Date)
  @Property(timeColumn())
  linkedAt!: Date;
}
