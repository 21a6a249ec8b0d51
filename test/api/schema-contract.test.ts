/** What admin UIs, dashboards and scripts rely on stays: `contract.graphql` is the list, the schema may only add to it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  buildSchema,
  DangerousChangeType,
  findBreakingChanges,
  findDangerousChanges,
  type GraphQLSchema,
} from 'graphql';
import { buildTestSchema } from './operations.js';

let contract: GraphQLSchema;
let schema: GraphQLSchema;

beforeAll(async () => {
  contract = buildSchema(await readFile(join(import.meta.dirname, 'contract.graphql'), 'utf8'));
  schema = await buildTestSchema();
});

describe('the schema', () => {
  it('has every type, field, argument and value of the contract, of the same type', () => {
    expect(findBreakingChanges(contract, schema).map((change) => change.description)).toEqual([]);
  });

  it('has the defaults of the contract', () => {
    const changes = findDangerousChanges(contract, schema).filter(
      ({ type }) => type === DangerousChangeType.ARG_DEFAULT_VALUE_CHANGE,
    );
    expect(changes.map((change) => change.description)).toEqual([]);
  });

  it('describes connections, pages and times in one way', () => {
    for (const type of Object.values(schema.getTypeMap()).filter(({ name }) => name.endsWith('Connection'))) {
      expect(Object.keys('getFields' in type ? type.getFields() : {})).toEqual([
        'edges',
        'nodes',
        'pageInfo',
        'totalCount',
      ]);
    }
  });
});
