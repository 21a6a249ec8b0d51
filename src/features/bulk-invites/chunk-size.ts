/**
 * How many rows one transaction takes, pure. An open write transaction holds back the feed of every tenant, so a chunk is
 * measured in time; the size follows what the last one took.
 */
const TARGET_MILLISECONDS = 100;
const MIN_ROWS = 20;
const MAX_ROWS = 2000;

export const FIRST_CHUNK_ROWS = 100;

/** At most doubles, because a first chunk on a warm cache says little about the next. */
export function nextChunkSize(rows: number, milliseconds: number): number {
  const fitting = Math.round((rows * TARGET_MILLISECONDS) / Math.max(milliseconds, 1));
  return Math.max(MIN_ROWS, Math.min(fitting, rows * 2, MAX_ROWS));
}
