/**
 * `/t/<slug>/apps/<app>/open`: where the gateway sends a guest who wants an app. The app begins the sign-in itself when it
 * said where (OpenID Connect Core 1.0 section 4), else its home page is opened. It tells nothing that is not registered.
 */
import type { FastifyInstance } from 'fastify';
import { sql } from 'kysely';
import { systemActor } from '../kernel/actor.js';
import { type Ground, RequestContext } from '../request/request-context.js';
import { issuerUrl } from './issuers.js';

type AppRoute = { Params: { slug: string; appId: string } };

interface Door {
  homePageUrl: string;
  initiateLoginUrl: string | null;
}

export function registerAppDoor(server: FastifyInstance, ground: Ground, publicUrl: URL): void {
  server.get<AppRoute>('/t/:slug/apps/:appId/open', async (request, reply) => {
    const { slug, appId } = request.params;
    const door = await findDoor(new RequestContext(ground, systemActor('OpenID Provider')), slug, appId);
    if (!door) {
      reply.callNotFound();
      return reply;
    }
    reply.headers({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' });
    return reply.redirect(addressOf(door, issuerUrl(publicUrl, slug)), 303);
  });
}

function addressOf({ homePageUrl, initiateLoginUrl }: Door, issuer: string): string {
  if (initiateLoginUrl === null) return homePageUrl;
  const url = new URL(initiateLoginUrl);
  url.searchParams.set('iss', issuer);
  url.searchParams.set('target_link_uri', homePageUrl);
  return url.href;
}

async function findDoor({ db }: RequestContext, slug: string, appId: string): Promise<Door | null> {
  const { rows } = await sql<Door>`
    select a.home_page_url as "homePageUrl", a.initiate_login_url as "initiateLoginUrl"
    from app a join tenant t on t.id = a.tenant_id
    where t.slug = ${slug} and a.id = ${appId} and a.enabled`.execute(db);
  return rows[0] ?? null;
}
