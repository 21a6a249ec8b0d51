/**
 * An organisation the tenant works with, known by its domains, and what holds for its people: how they prove their address,
 * and what is spared them. What it leaves open is the tenant's own policy.
 */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { Field, ID, ObjectType } from 'type-graphql';
import { booleanColumn, idColumn, textArrayColumn, textColumn, timeColumn } from '../../database/columns.js';
import { Node } from '../../request/node.js';
import type { SignInFallback, SignInMethod } from '../identity-providers/sign-in-policy.rules.js';

@ObjectType({ implements: Node, simpleResolvers: true, description: 'An organisation with rules of its own.' })
@Entity({ tableName: 'partner' })
export class Partner implements Node {
  @Field(() => ID)
  @PrimaryKey(idColumn())
  id!: string;

  @Property(idColumn())
  tenantId!: string;

  @Field(() => String)
  @Property(textColumn())
  displayName!: string;

  /** Both or neither; null: the tenant's policy. */
  @Property({ ...textArrayColumn(), nullable: true })
  signInOrder!: SignInMethod[] | null;

  @Property({ ...textColumn(), nullable: true })
  fallback!: SignInFallback | null;

  @Field(() => Boolean, {
    description: 'Its people are not asked for consent, unless there are terms of use they have to agree to.',
  })
  @Property(booleanColumn())
  automaticRedemption!: boolean;

  @Field(() => Boolean, { description: 'A second factor that its provider reports counts here.' })
  @Property(booleanColumn())
  trustsSecondFactor!: boolean;

  @Field(() => Boolean, { description: "Its people are not asked for the tenant's terms of use." })
  @Property({ ...booleanColumn(), default: false })
  skipsTermsOfUse!: boolean;

  @Field(() => Boolean, {
    description:
      'Its people who may invite, invite whom they like; else only addresses of the domains of this partner.',
  })
  @Property({ ...booleanColumn(), default: false })
  invitesAnybody!: boolean;

  @Field(() => Date)
  @Property(timeColumn())
  createdAt!: Date;
}
