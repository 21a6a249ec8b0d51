/** The Relay `Node` interface; the type of a node goes by its id's prefix, because reads answer plain rows. */
import { Field, ID, InterfaceType } from 'type-graphql';
import { typeOfId } from '../kernel/ids.js';

@InterfaceType({
  description: 'Anything with a global id.',
  resolveType: (value: { id: string }) => typeOfId(value.id) ?? undefined,
})
export abstract class Node {
  @Field(() => ID)
  id!: string;
}
