/** That somebody agreed to a version of the terms, in the language in which they were shown; the first time counts. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { Field, Int, ObjectType } from 'type-graphql';
import { idColumn, integerColumn, keyColumn, timeColumn } from '../../database/columns.js';

@ObjectType({ simpleResolvers: true, description: 'That this person agreed to a version of the terms of use.' })
@Entity({ tableName: 'terms_acceptance' })
export class TermsAcceptance {
  @PrimaryKey(idColumn())
  tenantId!: string;

  @PrimaryKey(idColumn())
  externalUserId!: string;

  @Field(() => Int)
  @PrimaryKey(integerColumn())
  version!: number;

  @Field(() => String, { description: 'In which they were shown.' })
  @Property(keyColumn())
  language!: string;

  @Field(() => String, { description: 'SHA-256 of the Markdown that was shown, hexadecimal.' })
  @Property(keyColumn())
  hash!: string;

  @Field(() => Date)
  @Property(timeColumn())
  acceptedAt!: Date;
}
