/** Bytes as they arrive: who stops sending is told so. Packed files: what is unpacked is what was packed, and a bomb is refused by what it would cost, not by what it cost. */
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { arrivingBytes, unpackedBytes } from '../../src/api/upload-bytes.js';
import type { UserError } from '../../src/kernel/errors.js';

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function unpack(packed: Buffer): Promise<{ text: string; refusal: string | null }> {
  const pieces: Buffer[] = [];
  const refusal = await (async () => {
    for await (const piece of unpackedBytes(inPieces(packed, 1000))) pieces.push(piece);
    return null;
  })().catch(({ code }: UserError) => code);
  return { text: Buffer.concat(pieces).toString(), refusal };
}

describe('a client that stops sending without going away', () => {
  it('is told after the idle time, on the connection it still has', async () => {
    const server = createServer(async (incoming, response) => {
      const pieces: Buffer[] = [];
      const refusal = await (async () => {
        for await (const piece of arrivingBytes(incoming, 50)) pieces.push(piece);
      })().catch(({ code }: UserError) => code);
      response.end(`${Buffer.concat(pieces)} ${refusal}`);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const sent = request({ host: '127.0.0.1', port, method: 'POST' });
    sent.write('email');
    const [response] = await once(sent, 'response');
    expect((await response.toArray()).join('')).toBe('email UPLOAD_INCOMPLETE');
    sent.destroy();
    server.close();
  });
});

describe('a packed file', () => {
  it('is unpacked byte by byte, also when it was packed in several parts', async () => {
    const packed = Buffer.concat([gzipSync('email\n'), gzipSync('ana@x.example\n')]);
    expect(await unpack(packed)).toEqual({ text: 'email\nana@x.example\n', refusal: null });
  });

  it('is refused within its first megabyte when it is more than 100 times denser than its text', async () => {
    const { text, refusal } = await unpack(gzipSync(Buffer.alloc(50 * 1024 * 1024, 'x')));
    expect(refusal).toBe('CSV_UNREADABLE');
    expect(text.length).toBeLessThanOrEqual(1024 * 1024);
  });

  it('may be as dense as it likes while it is small', async () => {
    expect(await unpack(gzipSync(Buffer.alloc(1024 * 1024, 'x')))).toMatchObject({ refusal: null });
  });

  it('whose end is missing was cut off, whatever was read of it by then', async () => {
    expect((await unpack(gzipSync('email\nana@x.example\n').subarray(0, -3))).refusal).toBe('UPLOAD_INCOMPLETE');
  });
});
