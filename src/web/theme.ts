/**
 * Stylesheets from our own origin: one for all pages, and one per accent colour, because pages carry no inline style. And the
 * two scripts of the pages that ask for a passkey: ours, and the library between it and the browser.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { buttonColors } from '../mail/button-colors.js';

/** Seconds. A colour's stylesheet never changes within a version. */
const MAX_AGE = 3600;
const colorPattern = /^[0-9a-f]{6}$/;

export function themePath(accentColor: string): string {
  return `/assets/theme/${buttonColors(accentColor).background.slice(1).toLowerCase()}.css`;
}

function themeOf(color: string): string {
  const { background, text, border } = buttonColors(`#${color}`);
  return `:root { --accent: ${background}; --accent-text: ${text}; --accent-border: ${border}; }\n`;
}

export async function registerAssets(server: FastifyInstance, templatesDirectory: string): Promise<void> {
  const style = await readFile(join(templatesDirectory, 'web', 'style.css'), 'utf8');
  const common = { 'cache-control': `public, max-age=${MAX_AGE}`, 'x-content-type-options': 'nosniff' };
  const headers = { ...common, 'content-type': 'text/css; charset=utf-8' };
  const scriptHeaders = { ...common, 'content-type': 'text/javascript; charset=utf-8' };
  const passkeyScript = await readFile(join(templatesDirectory, 'web', 'passkey.js'), 'utf8');
  const webauthnScript = await readFile(webauthnLibrary(), 'utf8');
  server.get('/assets/style.css', (_request, reply) => reply.headers(headers).send(style));
  server.get('/assets/passkey.js', (_request, reply) => reply.headers(scriptHeaders).send(passkeyScript));
  server.get('/assets/webauthn.js', (_request, reply) => reply.headers(scriptHeaders).send(webauthnScript));
  server.get<{ Params: { color: string } }>('/assets/theme/:color.css', (request, reply) => {
    const { color } = request.params;
    return colorPattern.test(color) ? reply.headers(headers).send(themeOf(color)) : reply.code(404).send();
  });
}

/** As one file for browsers; the package exports its modules only. */
function webauthnLibrary(): string {
  const main = createRequire(import.meta.url).resolve('@simplewebauthn/browser');
  return join(dirname(main), '../dist/bundle/index.umd.min.js');
}
