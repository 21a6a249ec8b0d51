/**
 * Reads select plain rows with property names. What a table's columns are called is known to MikroORM's metadata alone;
 * this turns it into `sql` fragments once per entity. Hidden columns (hashes, sealed values) are never part of a row.
 */
import type { EntityClass } from '@mikro-orm/core';
import type { MikroORM } from '@mikro-orm/postgresql';
import { type RawBuilder, sql } from 'kysely';

/** A plain row of an entity, without its hashes and sealed values. */
export type Row<E> = { [K in keyof E as NonNullable<E[K]> extends Buffer ? never : K]: E[K] };

export class Tables {
  readonly #orm: MikroORM;
  readonly #columns = new Map<EntityClass<object>, { property: string; column: string }[]>();

  constructor(orm: MikroORM) {
    this.#orm = orm;
  }

  /** `"alias"."column" as "property", …` of every column that is not hidden. */
  columns(entity: EntityClass<object>, alias: string): RawBuilder<unknown> {
    const list = this.#visible(entity).map(
      ({ property, column }) => sql`${sql.ref(`${alias}.${column}`)} as ${sql.ref(property)}`,
    );
    return sql.join(list);
  }

  name(entity: EntityClass<object>): RawBuilder<unknown> {
    return sql.table(this.#orm.getMetadata().get(entity).tableName);
  }

  #visible(entity: EntityClass<object>): { property: string; column: string }[] {
    const known = this.#columns.get(entity);
    if (known) return known;
    const columns = this.#orm
      .getMetadata()
      .get(entity)
      .props.filter((property) => property.fieldNames && !property.hidden)
      .map((property) => ({ property: property.name, column: property.fieldNames[0] as string }));
    this.#columns.set(entity, columns);
    return columns;
  }
}
