import { expect, test } from '@jest/globals';
import pg from 'pg';
import { Batch } from '../../src/request/batch.js';

/** Each batch waits until it is let go; what it was given is noted. */
function openBatch(answer: (command: string) => string = (command) => command.toUpperCase()) {
  const batches: string[][] = [];
  const gates: (() => void)[] = [];
  const batch = new Batch<string, string>(async (commands) => {
    batches.push([...commands]);
    await new Promise<void>((resolve) => gates.push(resolve));
    return commands.map(answer);
  });
  const letGo = async (count: number) => {
    while (gates.length < count) await new Promise(setImmediate);
    for (const open of gates.splice(0)) open();
  };
  return { batch, batches, letGo };
}

const refused = () => Object.assign(new pg.DatabaseError('refused', 7, 'error'), { code: '22P02' });

test('what comes while a batch is under way is done together by the next, in order', async () => {
  const { batch, batches, letGo } = openBatch();
  const first = batch.run('t', 'a');
  while (batches.length === 0) await new Promise(setImmediate);
  const rest = ['b', 'c', 'd'].map((command) => batch.run('t', command));
  await letGo(1);
  expect(await first).toBe('A');
  await letGo(1);
  expect(await Promise.all(rest)).toEqual(['B', 'C', 'D']);
  expect(batches).toEqual([['a'], ['b', 'c', 'd']]);
});

test('groups never meet and do not wait for each other', async () => {
  const { batch, batches, letGo } = openBatch();
  const both = Promise.all([batch.run('t', 'a'), batch.run('u', 'b')]);
  await letGo(2);
  expect(await both).toEqual(['A', 'B']);
  expect(batches).toEqual([['a'], ['b']]);
});

test('what the database refuses together is carried out one by one, so that only the culprit fails', async () => {
  const { batch, letGo } = openBatch((command) => {
    if (command === 'bad') throw refused();
    return command;
  });
  const outcome = Promise.allSettled(['a', 'bad', 'c'].map((command) => batch.run('t', command)));
  await letGo(1);
  await letGo(3);
  expect((await outcome).map((one) => (one.status === 'fulfilled' ? one.value : one.reason.message))).toEqual([
    'a',
    'refused',
    'c',
  ]);
});

test('after a lost connection nothing is carried out twice: nobody knows what was written', async () => {
  const { batch, batches, letGo } = openBatch(() => {
    throw new Error('Connection terminated unexpectedly');
  });
  const outcome = Promise.allSettled([batch.run('t', 'a'), batch.run('t', 'b')]);
  await letGo(1);
  expect((await outcome).map((one) => one.status)).toEqual(['rejected', 'rejected']);
  expect(batches).toEqual([['a', 'b']]);
});

test('a group that failed takes the next command', async () => {
  let calls = 0;
  const batch = new Batch<string, string>(async (commands) => {
    if (++calls === 1) throw new Error('down');
    return [...commands];
  });
  await expect(batch.run('t', 'a')).rejects.toThrow('down');
  expect(await batch.run('t', 'b')).toBe('b');
});
