/**
 * What a SAML provider has besides what all have: where its metadata comes from, what it says (as of the last good reading),
 * how its assertions name people, and our key towards it, sealed under the server secret.
 */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { Field, ObjectType } from 'type-graphql';
import {
  booleanColumn,
  idColumn,
  secretColumn,
  textArrayColumn,
  textColumn,
  timeColumn,
} from '../../database/columns.js';
import { graphqlEnum } from '../../request/graphql-enum.js';
import { type SamlNameIdFormat, samlNameIdFormats } from './connector.port.js';

export const SamlNameIdFormatEnum = graphqlEnum('SamlNameIdFormat', samlNameIdFormats);

@ObjectType({ simpleResolvers: true, description: 'A SAML 2.0 provider as it is set up and as its metadata says.' })
@Entity({ tableName: 'saml_provider' })
export class SamlProvider {
  @PrimaryKey(idColumn())
  identityProviderId!: string;

  @Property(idColumn())
  tenantId!: string;

  @Field(() => String, { nullable: true, description: 'Fetched anew before it ends; null: the XML was given.' })
  @Property({ ...textColumn(), nullable: true })
  metadataUrl!: string | null;

  /** Which of several organisations in the metadata; null: the only one. */
  @Property({ ...textColumn(), nullable: true })
  entityId!: string | null;

  /** PEM; by which the metadata has to be signed. */
  @Property(textArrayColumn())
  metadataCertificates!: string[];

  @Field(() => String, { description: 'Where guests are sent to sign in.' })
  @Property(textColumn())
  ssoUrl!: string;

  @Field(() => [String], { description: 'PEM. By one of them its answers have to be signed.' })
  @Property(textArrayColumn())
  signingCertificates!: string[];

  @Field(() => Date, { nullable: true, description: 'When the metadata ends, and sign-ins with it.' })
  @Property({ ...timeColumn(), nullable: true })
  validUntil!: Date | null;

  @Field(() => Date, { description: 'When the metadata was last read and found good.' })
  @Property(timeColumn())
  refreshedAt!: Date;

  /** Null: there is no URL to read again. */
  @Property({ ...timeColumn(), nullable: true })
  refreshAt!: Date | null;

  @Field(() => String, {
    nullable: true,
    description: 'Why the last reading since failed; tried again every few minutes.',
  })
  @Property({ ...textColumn(), nullable: true })
  refreshError!: string | null;

  @Field(() => SamlNameIdFormatEnum)
  @Property(textColumn())
  nameIdFormat!: SamlNameIdFormat;

  @Field(() => String, { nullable: true, description: 'Null: the usual ones.' })
  @Property({ ...textColumn(), nullable: true })
  emailAttribute!: string | null;

  @Field(() => String, { nullable: true, description: 'Null: the usual ones.' })
  @Property({ ...textColumn(), nullable: true })
  displayNameAttribute!: string | null;

  @Field(() => String, { nullable: true, description: 'Null: the NameID.' })
  @Property({ ...textColumn(), nullable: true })
  subjectAttribute!: string | null;

  @Field(() => Boolean, { description: 'Its portal may begin a sign-in, of people linked to it; never a redemption.' })
  @Property({ ...booleanColumn(), default: false })
  allowsUnrequestedSignIn!: boolean;

  @Field(() => String, { description: 'Ours towards this provider, PEM: by it our requests are signed.' })
  @Property(textColumn())
  certificate!: string;

  @Property(secretColumn())
  sealedPrivateKey!: Buffer;

  @Field(() => String, {
    nullable: true,
    description: 'Ours that comes next, PEM: published beside the one in use until it is switched to.',
  })
  @Property({ ...textColumn(), nullable: true })
  nextCertificate!: string | null;

  @Property({ ...secretColumn(), nullable: true })
  sealedNextPrivateKey!: Buffer | null;
}
