/** A tenant's logo, from our own origin. The address names the image's hash, so that what it answers never changes. */
import type { FastifyInstance } from 'fastify';
import { findLogo } from '../features/tenants/tenant-logo.service.js';
import type { PageTools } from './page-tools.js';

/** One year, in seconds. */
const MAX_AGE = 31_536_000;
const slugPattern = /^[a-z0-9-]{3,40}$/;
const hashPattern = /^[0-9a-f]{32}$/;

export function registerLogo(server: FastifyInstance, tools: PageTools): void {
  server.get<{ Params: { slug: string; hash: string } }>('/t/:slug/logo/:hash', async (request, reply) => {
    const { slug, hash } = request.params;
    const isAddress = slugPattern.test(slug) && hashPattern.test(hash);
    const logo = isAddress ? await findLogo(tools.context(request).db, slug, hash) : null;
    if (!logo) return reply.code(404).send();
    reply.header('cache-control', `public, max-age=${MAX_AGE}, immutable`);
    reply.headers({ 'x-content-type-options': 'nosniff', 'content-security-policy': "default-src 'none'" });
    return reply.type(logo.contentType).send(logo.image);
  });
}
