import { expect, test } from '@jest/globals';
import { nextChunkSize } from '../../../src/features/bulk-invites/chunk-size.js';

test('a chunk that took its time is repeated in the same size', () => {
  expect(nextChunkSize(400, 100)).toBe(400);
});

test('a slow chunk is followed by one that fits the time', () => {
  expect(nextChunkSize(400, 400)).toBe(100);
});

test('a fast chunk is at most doubled', () => {
  expect(nextChunkSize(100, 2)).toBe(200);
  expect(nextChunkSize(100, 0)).toBe(200);
});

test('a chunk has 20 to 2000 rows, however slow or fast the database is', () => {
  expect(nextChunkSize(20, 60_000)).toBe(20);
  expect(nextChunkSize(2000, 1)).toBe(2000);
});
