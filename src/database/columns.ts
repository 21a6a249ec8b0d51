/**
 * Column options every entity shares, so that a kind of column is decided once. Keys and keyset columns compare by bytes
 * (collate "C"), times have the precision of a JavaScript Date: with microseconds a cursor skips rows. Functions, because
 * MikroORM writes into the options it is given.
 */
export const idColumn = () => ({ type: 'text', collation: 'C' }) as const;
export const keyColumn = () => ({ type: 'text', collation: 'C' }) as const;
export const textColumn = () => ({ type: 'text' }) as const;
export const textArrayColumn = () => ({ type: 'array', columnType: 'text[]' }) as const;
export const timeColumn = () => ({ type: 'datetime', columnType: 'timestamptz(3)' }) as const;
export const integerColumn = () => ({ type: 'integer' }) as const;
export const booleanColumn = () => ({ type: 'boolean' }) as const;
export const jsonColumn = () => ({ type: 'json', columnType: 'jsonb' }) as const;
/** Hashes and sealed values: `hidden` keeps them out of every select list. */
export const secretColumn = () => ({ type: 'blob', columnType: 'bytea', hidden: true }) as const;
