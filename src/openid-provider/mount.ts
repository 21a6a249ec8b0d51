/**
 * Each tenant's issuer under `/t/<slug>`: the server hands the request over whole. Hooks of the server do not run on what is
 * handed over, so the headers of our pages are set here. Where we are is written from PUBLIC_URL; what a caller says about
 * host or proxy is dropped.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { inScope } from '../kernel/scope.js';
import { routes } from './issuer-configuration.js';
import type { Issuers } from './issuers.js';
import type { OpenIdPages } from './pages.port.js';

export interface MountOptions {
  issuers: Issuers;
  publicUrl: URL;
  pages: OpenIdPages;
  /** While true each answer is the last of its connection. */
  isStopping(): boolean;
}

type IssuerRoute = { Params: { slug: string } };

const methods = ['GET', 'HEAD', 'POST', 'OPTIONS'] as const;
/** RFC 8414 section 3 puts the well-known part before the issuer's path. */
const authorizationServerMetadata = '/.well-known/oauth-authorization-server';
const paths = [
  '/.well-known/openid-configuration',
  authorizationServerMetadata,
  ...Object.values(routes),
  `${routes.authorization}/:uid`,
  `${routes.code_verification}/:uid`,
  `${routes.end_session}/confirm`,
  `${routes.end_session}/success`,
];

export async function mountIssuers(server: FastifyInstance, options: MountOptions): Promise<void> {
  await server.register(async (mounted) => {
    // The library reads bodies itself.
    mounted.removeAllContentTypeParsers();
    mounted.addContentTypeParser('*', (_request, _body, done) => done(null));
    const handle = (request: FastifyRequest<IssuerRoute>, reply: FastifyReply) => handOver(options, request, reply);
    for (const path of paths)
      mounted.route<IssuerRoute>({ method: [...methods], url: `/t/:slug${path}`, handler: handle });
    mounted.get<IssuerRoute>(`${authorizationServerMetadata}/t/:slug`, (request, reply) => {
      request.raw.url = `/t/${request.params.slug}${authorizationServerMetadata}`;
      return handle(request, reply);
    });
  });
}

async function handOver(
  { issuers, publicUrl, pages, isStopping }: MountOptions,
  request: FastifyRequest<IssuerRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { slug } = request.params;
  const issuer = await issuers.get(slug);
  if (!issuer) {
    reply.callNotFound();
    return reply;
  }
  const { raw } = request;
  const whole = raw.url ?? '';
  Object.assign(raw, { originalUrl: whole });
  raw.url = whole.slice(`/t/${slug}`.length);
  raw.headers.host = publicUrl.host;
  raw.headers['x-forwarded-host'] = publicUrl.host;
  raw.headers['x-forwarded-proto'] = publicUrl.protocol.slice(0, -1);
  raw.headers['x-forwarded-for'] = request.ip;
  for (const [name, value] of Object.entries(pages.headers)) reply.raw.setHeader(name, value);
  if (isStopping()) reply.raw.setHeader('connection', 'close');
  // The documents for apps are read across origins.
  reply.raw.removeHeader('cross-origin-resource-policy');
  reply.hijack();
  await inScope(request.scope, () => issuer.handle(raw, reply.raw));
  return reply;
}
