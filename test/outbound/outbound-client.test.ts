import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { silentLog } from '../../src/kernel/log.js';
import {
  createOutboundClient,
  type OutboundClient,
  type OutboundClientOptions,
  type ResolveHost,
} from '../../src/outbound/outbound-client.js';

const opened: { close(): unknown }[] = [];

afterEach(async () => {
  for (const resource of opened.splice(0)) await resource.close();
});

function client(options: Partial<OutboundClientOptions> = {}): OutboundClient {
  const created = createOutboundClient({ allowPrivateProviders: true, log: silentLog, ...options });
  opened.push(created);
  return created;
}

async function serve(listener: RequestListener): Promise<{ port: number; url: string; server: Server }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  opened.push({ close });
  const { port } = server.address() as AddressInfo;
  return { port, url: `http://127.0.0.1:${port}/`, server };
}

/** Answers the listed addresses one after the other, the last one for ever. */
function resolving(...answers: string[][]): ResolveHost & { calls: number } {
  const resolve: ResolveHost & { calls: number } = Object.assign(
    ((_host, _options, done) => {
      const addresses = answers[Math.min(resolve.calls++, answers.length - 1)] ?? [];
      done(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      );
    }) as ResolveHost,
    { calls: 0 },
  );
  return resolve;
}

test('status, headers and body arrive', async () => {
  const { url } = await serve((_request, response) => {
    response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"x"}');
  });
  const response = await client().fetch(url);
  expect(response.status).toBe(404);
  expect(response.headers.get('content-type')).toBe('application/json');
  expect(await response.json()).toEqual({ error: 'x' });
});

test('a response without a body stays without one', async () => {
  const { url } = await serve((_request, response) => response.writeHead(204).end());
  expect((await client().fetch(url, { method: 'POST', body: new URLSearchParams({ a: 'b' }) })).status).toBe(204);
});

test.each(['http://provider.example/', 'ftp://provider.example/', 'https://user:secret@provider.example/', 'no url'])(
  'without the switch %s is refused before any name is resolved',
  async (url) => {
    const resolveHost = resolving(['93.184.215.14']);
    const { fetch } = client({ allowPrivateProviders: false, resolveHost });
    await expect(fetch(url)).rejects.toMatchObject({ reason: 'URL_REFUSED' });
    expect(resolveHost.calls).toBe(0);
  },
);

test.each([
  'https://127.0.0.1/',
  'https://[::1]/',
  'https://0x7f.1/',
  'https://[::ffff:10.0.0.1]/',
  'https://10.1.2.3/',
])('without the switch the literal address of %s is refused', async (url) => {
  await expect(client({ allowPrivateProviders: false }).fetch(url)).rejects.toMatchObject({
    reason: 'ADDRESS_REFUSED',
  });
});

test('without the switch a name that resolves to loopback is refused', async () => {
  const { fetch } = client({ allowPrivateProviders: false });
  await expect(fetch('https://localhost:8443/')).rejects.toMatchObject({ reason: 'ADDRESS_REFUSED' });
});

test('even with the switch a metadata address is refused, as literal and behind a name', async () => {
  const { fetch } = client({ resolveHost: resolving(['169.254.169.254']) });
  await expect(fetch('http://169.254.169.254/latest/')).rejects.toMatchObject({ reason: 'ADDRESS_REFUSED' });
  await expect(fetch('http://provider.example/')).rejects.toMatchObject({ reason: 'ADDRESS_REFUSED' });
});

test('one bad address among several refuses the host', async () => {
  const { fetch } = client({ allowPrivateProviders: false, resolveHost: resolving(['93.184.215.14', '127.0.0.1']) });
  await expect(fetch('https://provider.example/')).rejects.toMatchObject({ reason: 'ADDRESS_REFUSED' });
});

test('the address that was checked is the one connected to, whatever the name resolves to next', async () => {
  const { port } = await serve((request, response) => response.end(request.headers.host));
  const resolveHost = resolving(['127.0.0.1'], ['169.254.169.254']);
  const { fetch } = client({ resolveHost });
  const url = `http://rebinding.example:${port}/`;
  expect(await (await fetch(url)).text()).toBe(`rebinding.example:${port}`);
  expect(resolveHost.calls).toBe(1);
});

test('a new connection is checked again', async () => {
  const { port } = await serve((_request, response) => response.writeHead(200, { connection: 'close' }).end());
  const { fetch } = client({ resolveHost: resolving(['127.0.0.1'], ['169.254.169.254']) });
  await fetch(`http://rebinding.example:${port}/`);
  await expect(fetch(`http://rebinding.example:${port}/`)).rejects.toMatchObject({ reason: 'ADDRESS_REFUSED' });
});

test('a redirect is not followed', async () => {
  const requested: (string | undefined)[] = [];
  const { url } = await serve((request, response) => {
    requested.push(request.url);
    response.writeHead(302, { location: '/elsewhere' }).end();
  });
  await expect(client().fetch(url)).rejects.toMatchObject({ reason: 'REDIRECTED' });
  expect(requested).toEqual(['/']);
});

test('a body that never ends is cut at the limit', async () => {
  const { url } = await serve((_request, response) => {
    const pour = () => {
      while (response.write('x'.repeat(1000)));
    };
    response.on('drain', pour);
    pour();
  });
  await expect(client({ maxBytes: 10_000 }).fetch(url)).rejects.toMatchObject({ reason: 'TOO_LARGE' });
});

test('a body of exactly the limit passes', async () => {
  const { url } = await serve((_request, response) => response.end('x'.repeat(100)));
  expect((await (await client({ maxBytes: 100 }).fetch(url)).text()).length).toBe(100);
});

test.each([
  ['no response', () => undefined],
  ['a body that stalls', (_request, response) => response.write('{')],
] as [string, RequestListener][])('%s ends at the time limit', async (_name, listener) => {
  const { url } = await serve(listener);
  await expect(client({ timeoutMilliseconds: 100 }).fetch(url)).rejects.toMatchObject({ reason: 'TIMED_OUT' });
});

test('a name whose resolution hangs ends at the time limit', async () => {
  const { fetch } = client({ timeoutMilliseconds: 100, resolveHost: () => undefined });
  await expect(fetch('https://provider.example/')).rejects.toMatchObject({ reason: 'TIMED_OUT' });
});

test('a closed port is unreachable', async () => {
  const { url, server } = await serve(() => undefined);
  await new Promise((resolve) => server.close(resolve));
  await expect(client().fetch(url)).rejects.toMatchObject({ reason: 'UNREACHABLE' });
});

test("the caller's own abort reaches the caller as it is", async () => {
  const { url } = await serve(() => undefined);
  const reason = new Error('changed my mind');
  await expect(client().fetch(url, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});

test('cookies are not kept between requests', async () => {
  const cookies: (string | undefined)[] = [];
  const { url } = await serve((request, response) => {
    cookies.push(request.headers.cookie);
    response.setHeader('set-cookie', 'a=b').end();
  });
  const { fetch } = client();
  await fetch(url);
  await fetch(url);
  expect(cookies).toEqual([undefined, undefined]);
});
