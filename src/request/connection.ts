/**
 * Relay connections by keyset: never OFFSET, never a count unless asked. A list is described once (`ListSource`) and read
 * for all parents of a document level in one statement, by a lateral join over their ids; a single parent is a batch of
 * one. Cursors are opaque and name their order, so that one of another order is refused rather than misread.
 */
import { type RawBuilder, sql } from 'kysely';
import { ArgsType, type ClassType, Field, Int, ObjectType } from 'type-graphql';
import { RequestError } from '../kernel/errors.js';
import type { RequestContext } from './request-context.js';

export const DEFAULT_PAGE_SIZE = 50;
export const MAX_PAGE_SIZE = 100;

@ArgsType()
export class PageArgs {
  @Field(() => Int, {
    nullable: true,
    description: `How many, from the start: 1 to ${MAX_PAGE_SIZE}; default ${DEFAULT_PAGE_SIZE}.`,
  })
  first?: number | null;

  @Field(() => String, { nullable: true })
  after?: string | null;

  @Field(() => Int, { nullable: true, description: `How many, from the end: 1 to ${MAX_PAGE_SIZE}.` })
  last?: number | null;

  @Field(() => String, { nullable: true })
  before?: string | null;
}

@ObjectType({ simpleResolvers: true })
export class PageInfo {
  @Field(() => Boolean)
  hasNextPage!: boolean;

  @Field(() => Boolean)
  hasPreviousPage!: boolean;

  @Field(() => String, { nullable: true })
  startCursor!: string | null;

  @Field(() => String, { nullable: true })
  endCursor!: string | null;
}

export interface Edge<T> {
  cursor: string;
  node: T;
}

/** What a connection field answers; `totalCount` is a function, so that it is computed only when asked. */
export interface Connection<T> {
  edges: Edge<T>[];
  nodes: T[];
  pageInfo: PageInfo;
  totalCount: () => Promise<number>;
}

/** The GraphQL type `<name>Connection` of a node type. */
export function connectionType(name: string, node: () => unknown): ClassType<object> {
  @ObjectType(`${name}Edge`, { simpleResolvers: true })
  class EdgeType {
    @Field(() => String)
    cursor!: string;

    @Field(node as () => ClassType)
    node!: unknown;
  }

  @ObjectType(`${name}Connection`, { simpleResolvers: true })
  class ConnectionType {
    @Field(() => [EdgeType])
    edges!: EdgeType[];

    @Field(() => [node() as ClassType])
    nodes!: unknown[];

    @Field(() => PageInfo)
    pageInfo!: PageInfo;

    @Field(() => Int, { description: 'Computed only when asked for.' })
    totalCount!: number;
  }

  return ConnectionType;
}

/** Where a list comes from. Inside `from`, `parent.id` is the id of the object the connection hangs on. */
export interface ListSource {
  /** Unique per list and filter: lists of one name and the same arguments are read together. */
  name: string;
  columns: RawBuilder<unknown>;
  /** `from … where …`, correlated with `parent.id`. */
  from: RawBuilder<unknown>;
  /** Tie-break; unique within the list. */
  id: RawBuilder<unknown>;
  order: ListOrder;
}

export interface ListOrder {
  /** Part of the cursor, with the direction. */
  name: string;
  by: RawBuilder<unknown>;
  direction: 'ASC' | 'DESC';
  type: 'timestamptz' | 'text' | 'int';
}

export const newestFirst = (column: RawBuilder<unknown>): ListOrder => ({
  name: 'CREATED_AT',
  by: column,
  direction: 'DESC',
  type: 'timestamptz',
});

interface PageRow {
  parentId: string;
  cursorKey: Date | string | number;
  cursorId: string;
}

export async function readConnection<T extends object>(
  ctx: RequestContext,
  parentId: string,
  source: ListSource,
  args: PageArgs,
): Promise<Connection<T>> {
  const page = parsePageArgs(args, source.order);
  const rows = await ctx
    .loader<string, PageRow[]>(`${source.name} ${JSON.stringify(page)}`, (parents) =>
      readPages(ctx, parents, source, page),
    )
    .load(parentId);
  const shown = rows.slice(0, page.size);
  if (page.backwards) shown.reverse();
  return assemble<T>(ctx, parentId, source, page, shown, rows.length > page.size);
}

function assemble<T extends object>(
  ctx: RequestContext,
  parentId: string,
  source: ListSource,
  page: Page,
  shown: PageRow[],
  more: boolean,
): Connection<T> {
  const edges = shown.map((row) => ({ cursor: encodeCursor(source.order, row), node: row as unknown as T }));
  return {
    edges,
    nodes: edges.map((edge) => edge.node),
    pageInfo: {
      hasNextPage: page.backwards ? page.place !== null : more,
      hasPreviousPage: page.backwards ? more : page.place !== null,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
    totalCount: () =>
      ctx.loader<string, number>(`count ${source.name}`, (parents) => countAll(ctx, parents, source)).load(parentId),
  };
}

/** Which way a page is read, and from where. */
export interface PageRequest {
  size: number;
  backwards: boolean;
  cursor: string | null;
}

/** @throws RequestError BAD_USER_INPUT when the arguments contradict each other or the size is out of range. */
export function readPageArgs({ first, after, last, before }: PageArgs): PageRequest {
  if (first != null && last != null) throw badInput('Use either first or last, not both.');
  if (first != null && before != null) throw badInput('Use before together with last.');
  if (last != null && after != null) throw badInput('Use after together with first.');
  const backwards = last != null || (before != null && first == null);
  const size = (backwards ? last : first) ?? DEFAULT_PAGE_SIZE;
  if (size < 1 || size > MAX_PAGE_SIZE) throw badInput(`first and last go from 1 to ${MAX_PAGE_SIZE}.`);
  return { size, backwards, cursor: (backwards ? before : after) ?? null };
}

interface Page {
  size: number;
  backwards: boolean;
  place: [key: string | number, id: string] | null;
}

function parsePageArgs(args: PageArgs, order: ListOrder): Page {
  const { size, backwards, cursor } = readPageArgs(args);
  return { size, backwards, place: cursor === null ? null : decodeCursor(cursor, order) };
}

function badInput(message: string): RequestError {
  return new RequestError('BAD_USER_INPUT', { message });
}

async function readPages(
  ctx: RequestContext,
  parents: readonly string[],
  source: ListSource,
  page: Page,
): Promise<PageRow[][]> {
  const { order } = source;
  const ascending = (order.direction === 'ASC') !== page.backwards;
  const direction = ascending ? sql`asc` : sql`desc`;
  const beyond = ascending ? sql`>` : sql`<`;
  const place = page.place
    ? sql`and (${order.by}, ${source.id}) ${beyond} (${page.place[0]}::${sql.raw(order.type)}, ${page.place[1]})`
    : sql``;
  const { rows } = await sql<PageRow>`
    select parent.id as "parentId", page.*
    from unnest(${parents}::text[]) as parent (id)
    cross join lateral (
      select ${source.columns}, ${order.by} as "cursorKey", ${source.id} as "cursorId"
      ${source.from} ${place}
      order by ${order.by} ${direction}, ${source.id} ${direction}
      limit ${page.size + 1}
    ) page`.execute(ctx.db);
  return groupByParent(parents, rows);
}

function groupByParent(parents: readonly string[], rows: PageRow[]): PageRow[][] {
  const groups = new Map<string, PageRow[]>(parents.map((id) => [id, []]));
  for (const row of rows) groups.get(row.parentId)?.push(row);
  return parents.map((id) => groups.get(id) ?? []);
}

async function countAll(ctx: RequestContext, parents: readonly string[], source: ListSource): Promise<number[]> {
  const { rows } = await sql<{ id: string; total: string }>`
    select parent.id, page.total
    from unnest(${parents}::text[]) as parent (id)
    cross join lateral (select count(*) as total ${source.from}) page`.execute(ctx.db);
  const totals = new Map(rows.map((row) => [row.id, Number(row.total)]));
  return parents.map((id) => totals.get(id) ?? 0);
}

function orderTag(order: ListOrder): string {
  return `${order.name}:${order.direction}`;
}

function encodeCursor(order: ListOrder, { cursorKey, cursorId }: PageRow): string {
  const key = cursorKey instanceof Date ? cursorKey.toISOString() : cursorKey;
  return Buffer.from(JSON.stringify([orderTag(order), key, cursorId])).toString('base64url');
}

function decodeCursor(cursor: string, order: ListOrder): [string | number, string] {
  const parsed = parseJson(Buffer.from(cursor, 'base64url').toString());
  if (
    Array.isArray(parsed) &&
    parsed.length === 3 &&
    parsed[0] === orderTag(order) &&
    isPlace(parsed[1], parsed[2], order)
  ) {
    return [parsed[1], parsed[2]];
  }
  throw badInput('This cursor belongs to another list or order. Start again without it.');
}

/** Whether PostgreSQL can compare with it: a cursor is the client's to change. */
function isPlace(key: unknown, id: unknown, order: ListOrder): boolean {
  if (!isStorable(id)) return false;
  if (order.type === 'int') return Number.isInteger(key) && Math.abs(key as number) < 2 ** 31;
  return isStorable(key) && (order.type === 'text' || isTime(key));
}

/** As `Date.toISOString` writes it, in years that both know. */
function isTime(text: string): boolean {
  return /^(?!0000)\d{4}-/.test(text) && !Number.isNaN(Date.parse(text)) && new Date(text).toISOString() === text;
}

function isStorable(text: unknown): text is string {
  return typeof text === 'string' && !text.includes('\0');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
