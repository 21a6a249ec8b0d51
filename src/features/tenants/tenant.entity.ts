/** The organisation that invites; everything below belongs to exactly one. Slugs never change and are never reused. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { Field, ID, ObjectType } from 'type-graphql';
import {
  booleanColumn,
  idColumn,
  integerColumn,
  keyColumn,
  textArrayColumn,
  textColumn,
  timeColumn,
} from '../../database/columns.js';
import { Node } from '../../request/node.js';
import type { DomainRule } from './domain-policy.rules.js';

@ObjectType({ implements: Node, simpleResolvers: true, description: 'The organisation that invites.' })
@Entity({ tableName: 'tenant' })
export class Tenant implements Node {
  @Field(() => ID)
  @PrimaryKey(idColumn())
  id!: string;

  @Field(() => String, { description: 'Part of URLs; never changes and is never reused.' })
  @Property(keyColumn())
  slug!: string;

  @Field(() => String)
  @Property(textColumn())
  displayName!: string;

  @Field(() => String, { description: 'Language of mails and pages when neither invitation nor user has one.' })
  @Property(textColumn())
  defaultLanguage!: string;

  @Field(() => [String], {
    description: "The organisation's own mail domains; their people are not invited (OWN_DOMAIN).",
  })
  @Property(textArrayColumn())
  ownDomains!: string[];

  /** Whom the tenant takes as guests: the domain policy. */
  @Property(textColumn())
  domainRule!: DomainRule;

  /** Normal form, as `kernel/domain-patterns.ts` makes it. */
  @Property(textArrayColumn())
  domainPatterns!: string[];

  @Property({ ...textColumn(), nullable: true })
  logoUrl!: string | null;

  /** `#rrggbb` */
  @Property(textColumn())
  accentColor!: string;

  @Property({ ...textColumn(), nullable: true })
  supportEmail!: string | null;

  @Property({ ...textColumn(), nullable: true })
  privacyStatementUrl!: string | null;

  @Property({ ...textColumn(), nullable: true })
  termsOfUseUrl!: string | null;

  /** Of the terms of use in force; null: there are none. */
  @Property({ ...integerColumn(), nullable: true })
  termsVersion!: number | null;

  @Field(() => Boolean, {
    description: 'Whether guests have to show a second factor: at a provider trusted for it, or here.',
  })
  @Property(booleanColumn())
  secondFactorRequired!: boolean;

  @Field(() => Date)
  @Property(timeColumn())
  createdAt!: Date;
}

@ObjectType({ simpleResolvers: true, description: 'How mails and pages of the tenant look.' })
export class Branding {
  @Field(() => String, { nullable: true })
  logoUrl!: string | null;

  @Field(() => String, { description: '#rrggbb' })
  accentColor!: string;

  @Field(() => String, { nullable: true, description: 'Reply-To of mails, and whom guests are told to ask.' })
  supportEmail!: string | null;

  @Field(() => String, { nullable: true })
  privacyStatementUrl!: string | null;

  @Field(() => String, { nullable: true })
  termsOfUseUrl!: string | null;
}
