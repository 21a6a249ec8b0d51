/**
 * Reads select plain rows with property names. What a table's columns are called is known to MikroORM's metadata alone;
 * this turns it into SQL text once per entity and alias. Hidden columns (hashes, sealed values) are never part of a row.
 */
import type { EntityClass } from '@mikro-orm/core';
import type { MikroORM } from '@mikro-orm/postgresql';
import { type RawBuilder, sql } from 'kysely';

/** A plain row of an entity, without its hashes and sealed values. */
export type Row<E> = { [K in keyof E as NonNullable<E[K]> extends Buffer ? never : K]: E[K] };

export class Tables {
  readonly #orm: MikroORM;
  readonly #selects = new Map<EntityClass<object>, Map<string, string>>();

  constructor(orm: MikroORM) {
    this.#orm = orm;
  }

  /** `alias."column" as "property", …` of every column that is not hidden. `alias` is a name of ours, never input. */
  columns(entity: EntityClass<object>, alias: string): RawBuilder<unknown> {
    const byAlias = this.#selects.get(entity) ?? new Map<string, string>();
    this.#selects.set(entity, byAlias);
    const text = byAlias.get(alias) ?? this.#select(entity, alias);
    byAlias.set(alias, text);
    return sql.raw(text);
  }

  name(entity: EntityClass<object>): RawBuilder<unknown> {
    return sql.table(this.#orm.getMetadata().get(entity).tableName);
  }

  #select(entity: EntityClass<object>, alias: string): string {
    return this.#orm
      .getMetadata()
      .get(entity)
      .props.filter((property) => property.fieldNames && !property.hidden)
      .map((property) => `${alias}."${property.fieldNames[0]}" as "${property.name}"`)
      .join(', ');
  }
}
