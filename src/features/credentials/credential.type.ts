/** A user's credential as operators see it: which kind, since when, last used; never anything secret. */
import { Field, Int, ObjectType } from 'type-graphql';
import { graphqlEnum } from '../../request/graphql-enum.js';
import { type CredentialKind, credentialKinds } from './second-factors.queries.js';

const CredentialKindEnum = graphqlEnum('CredentialKind', credentialKinds);

@ObjectType({ simpleResolvers: true, description: 'What a user can prove themselves by at the gateway.' })
export class Credential {
  @Field(() => CredentialKindEnum)
  kind!: CredentialKind;

  @Field(() => String, { nullable: true, description: 'Of a passkey, as its owner calls it.' })
  label!: string | null;

  @Field(() => Date, { description: 'Of a password: when it was last changed.' })
  createdAt!: Date;

  @Field(() => Date, { nullable: true })
  lastUsedAt!: Date | null;

  @Field(() => Int, { nullable: true, description: 'Of recovery codes: how many are left.' })
  remaining!: number | null;
}
