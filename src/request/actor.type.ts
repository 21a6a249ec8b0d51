/** Who did something, as published: never an id or an address of an operator. */
import { Field, ObjectType } from 'type-graphql';
import type { ActorKind } from '../kernel/actor.js';
import { ActorKindEnum } from './graphql-enum.js';

@ObjectType('Actor', { simpleResolvers: true })
export class ActorType {
  @Field(() => ActorKindEnum)
  kind!: ActorKind;

  @Field(() => String)
  displayName!: string;
}
