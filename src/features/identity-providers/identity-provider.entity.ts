/**
 * Who vouches for addresses of which domains. The client secret is sealed under the server secret. Client and scopes are of
 * OpenID Connect; what SAML has besides is `saml-provider.entity.ts`.
 */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { Field, ID, ObjectType } from 'type-graphql';
import {
  booleanColumn,
  idColumn,
  jsonColumn,
  secretColumn,
  textArrayColumn,
  textColumn,
  timeColumn,
} from '../../database/columns.js';
import { Node } from '../../request/node.js';
import { type IdentityProviderKind, IdentityProviderKindEnum } from '../external-users/identity.entity.js';
import type { ClientAuthentication } from './client-authentication.js';
import type { OpenIdConnectPreset } from './openid-connect-presets.rules.js';

@ObjectType({ implements: Node, simpleResolvers: true, description: 'Who vouches for guests of which domains.' })
@Entity({ tableName: 'identity_provider' })
export class IdentityProvider implements Node {
  @Field(() => ID)
  @PrimaryKey(idColumn())
  id!: string;

  @Property(idColumn())
  tenantId!: string;

  @Field(() => IdentityProviderKindEnum)
  @Property(textColumn())
  kind!: IdentityProviderKind;

  @Field(() => String)
  @Property(textColumn())
  displayName!: string;

  @Field(() => String, { nullable: true, description: 'Of SAML the entityID, as the metadata gives it.' })
  @Property({ ...textColumn(), nullable: true })
  issuer!: string | null;

  @Property({ ...textColumn(), nullable: true })
  clientId!: string | null;

  @Property({ ...secretColumn(), nullable: true })
  sealedClientSecret!: Buffer | null;

  @Property(textArrayColumn())
  scopes!: string[];

  /** Of OpenID Connect. */
  @Property(textColumn())
  preset!: OpenIdConnectPreset;

  /** Of OpenID Connect. */
  @Property(textColumn())
  clientAuthentication!: ClientAuthentication;

  /** By which we authenticate in place of a secret; both or neither. */
  @Property({ ...secretColumn(), nullable: true })
  sealedClientKey!: Buffer | null;

  @Property({ ...jsonColumn(), nullable: true })
  clientPublicKey!: Record<string, unknown> | null;

  @Field(() => Boolean)
  @Property(booleanColumn())
  enabled!: boolean;

  @Field(() => Boolean, {
    description: 'Whether its word that a second factor was shown is taken where the tenant asks for one.',
  })
  @Property(booleanColumn())
  trustsSecondFactor!: boolean;

  @Property(timeColumn())
  createdAt!: Date;
}
