/** Logos of tenants and apps, from our own origin. The address names the image's hash, so that what it answers never changes. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { findAppLogo } from '../features/apps/app-logo.service.js';
import { findLogo, type Logo } from '../features/tenants/tenant-logo.service.js';
import { isIdOf } from '../kernel/ids.js';
import type { PageTools } from './page-tools.js';

/** One year, in seconds. */
const MAX_AGE = 31_536_000;
const slugPattern = /^[a-z0-9-]{3,40}$/;
const hashPattern = /^[0-9a-f]{32}$/;

type LogoRoute = { Params: { slug: string; hash: string } };
type AppLogoRoute = { Params: LogoRoute['Params'] & { appId: string } };

export function registerLogo(server: FastifyInstance, tools: PageTools): void {
  server.get<LogoRoute>('/t/:slug/logo/:hash', async (request, reply) => {
    const { slug, hash } = request.params;
    const isAddress = slugPattern.test(slug) && hashPattern.test(hash);
    return sendLogo(reply, isAddress ? await findLogo(tools.context(request).db, slug, hash) : null);
  });
  server.get<AppLogoRoute>('/t/:slug/apps/:appId/logo/:hash', async (request, reply) => {
    const { slug, appId, hash } = request.params;
    const isAddress = slugPattern.test(slug) && isIdOf('App', appId) && hashPattern.test(hash);
    return sendLogo(reply, isAddress ? await findAppLogo(tools.context(request).db, slug, appId, hash) : null);
  });
}

function sendLogo(reply: FastifyReply, logo: Logo | null): FastifyReply {
  if (!logo) return reply.code(404).send();
  reply.header('cache-control', `public, max-age=${MAX_AGE}, immutable`);
  reply.headers({ 'x-content-type-options': 'nosniff', 'content-security-policy': "default-src 'none'" });
  return reply.type(logo.contentType).send(logo.image);
}
