/** Stylesheets from our own origin: one for all pages, and one per accent colour, because pages carry no inline style. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
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
  const headers = {
    'content-type': 'text/css; charset=utf-8',
    'cache-control': `public, max-age=${MAX_AGE}`,
    'x-content-type-options': 'nosniff',
  };
  server.get('/assets/style.css', (_request, reply) => reply.headers(headers).send(style));
  server.get<{ Params: { color: string } }>('/assets/theme/:color.css', (request, reply) => {
    const { color } = request.params;
    return colorPattern.test(color) ? reply.headers(headers).send(themeOf(color)) : reply.code(404).send();
  });
}
