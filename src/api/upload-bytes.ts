/**
 * The body of an upload as it arrives, unpacked: who sends nothing for too long, goes away or packs a bomb is told so. Read by
 * pulling, so that a slow database slows the client down and nothing piles up.
 */
import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { refuse, type UserError } from '../kernel/errors.js';

/** So many times its packed size a file may have. The most that gzip can do is a thousandfold. */
const MAX_RATIO = 100;
/** Small files may be as dense as they like. */
const UNMEASURED_BYTES = 1024 * 1024;

const field = ['file'];

/**
 * @param idleMilliseconds between two pieces; the time that passes while nobody asks for one does not count.
 * @throws UserError UPLOAD_INCOMPLETE when it ends before it is whole.
 */
export async function* arrivingBytes(request: IncomingMessage, idleMilliseconds: number): AsyncGenerator<Buffer, void> {
  // Not destroyed when reading ends early: the answer goes out on the same connection.
  const pieces: AsyncIterator<Buffer> = request.iterator({ destroyOnReturn: false });
  let waiting = false;
  try {
    for (;;) {
      waiting = true;
      const { done, value } = await within(idleMilliseconds, pieces.next());
      waiting = false;
      if (done) return;
      yield value;
    }
  } finally {
    if (!waiting) await pieces.return?.();
  }
}

function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(idle(milliseconds)), milliseconds).unref();
    work.then(resolve, () => reject(refuse('UPLOAD_INCOMPLETE', { field }))).finally(() => clearTimeout(timer));
  });
}

/** @throws UserError CSV_UNREADABLE when it is not gzip or unpacks to far too much, UPLOAD_INCOMPLETE when its end is missing. */
export async function* unpackedBytes(packed: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
  const gunzip = createGunzip();
  let unpacked = 0;
  // Whatever fails destroys the latter with that error, and the loop below throws it.
  pipeline(packed, gunzip, () => undefined);
  try {
    for await (const piece of gunzip as AsyncIterable<Buffer>) {
      unpacked += piece.length;
      if (unpacked > UNMEASURED_BYTES && unpacked > gunzip.bytesWritten * MAX_RATIO) throw tooDense();
      yield piece;
    }
  } catch (error) {
    throw unpackingError(error as Error & { code?: string });
  }
}

function unpackingError(error: Error & { code?: string }): Error {
  if (!error.code?.startsWith('Z_')) return error;
  if (error.code === 'Z_BUF_ERROR') return refuse('UPLOAD_INCOMPLETE', { field, detail: error.code });
  const message = 'The file is not what its Content-Encoding says. Pack it with gzip again, or send it unpacked.';
  return refuse('CSV_UNREADABLE', { field, message, detail: error.code });
}

function tooDense(): UserError {
  const message = `The file unpacks to more than ${MAX_RATIO} times its size. Send it unpacked.`;
  return refuse('CSV_UNREADABLE', { field, message });
}

function idle(milliseconds: number): UserError {
  const message = `Nothing came for ${milliseconds / 1000} seconds, so the upload was ended. Send the file again.`;
  return refuse('UPLOAD_INCOMPLETE', { field, message });
}
