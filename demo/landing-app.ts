/**
 * The app that guests are invited to: it shows only that someone landed. It asks nobody to sign in, because the gateway is
 * no OpenID Provider yet.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface LandingApp {
  url: string;
  stop(): void;
}

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Orders</title>
<style>
body { display: grid; place-items: center; min-height: 100vh; margin: 0; background: #eef4f1; color: #14342b; font: 1.125rem/1.5 system-ui, sans-serif; }
main { padding: 2rem; text-align: center; }
</style>
</head>
<body>
<main>
<h1>You have landed</h1>
<p>This is Orders, an app of Contoso.</p>
</main>
</body>
</html>
`;

export async function startLandingApp(port: number): Promise<LandingApp> {
  const server = createServer((_request, response) => {
    response.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
    });
    response.end(page);
  });
  await once(server.listen(port, '127.0.0.1'), 'listening');
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, stop };
}
