/**
 * The gateway as the OpenID Provider of the apps: each tenant is an issuer of its own, `PUBLIC_URL/t/<slug>`, and an instance
 * of the protocol library, which does all of the protocol. Owned here: how the library is set up, where it keeps what it
 * must remember, its keys, its pages' content. Not owned: who is signed in (`features/sign-in`), which apps there are and who
 * may use them (`features/apps`). Instances are made when they are asked for, kept while they are used, and forgotten when
 * a doorbell says that what they were made of has changed.
 */

import type { JWK } from 'jose';
import { sql } from 'kysely';
import { type Client, Provider } from 'oidc-provider';
import type { SigningAlgorithm } from '../features/apps/app.entity.js';
import { ISSUER_CHANNEL } from '../features/apps/issuer-channel.js';
import { systemActor } from '../kernel/actor.js';
import { describeFault } from '../kernel/fault.js';
import type { OutboundFetch } from '../outbound/outbound-client.js';
import { type Ground, RequestContext } from '../request/request-context.js';
import { noteUse } from './app-use.js';
import { logoutByJobs, type TellLogout } from './backchannel-logout.js';
import { compareSecretsByHash } from './client-adapter.js';
import type { GuestSession, GuestSessions } from './guest-sessions.js';
import { grantId } from './interaction-policy.js';
import { issuerConfiguration, pairwiseSub } from './issuer-configuration.js';
import type { OpenIdPages } from './pages.port.js';
import { requestFrame } from './request-frame.js';
import { noteReuse } from './reuse.js';
import { sessionUidOf } from './session-adapter.js';
import { loadKeys, publicPart } from './signing-keys.js';
import { saltOf } from './tenant-salts.js';
import { createViews, type ViewSources } from './views.js';

export interface IssuersOptions {
  ground: Ground;
  publicUrl: URL;
  sessions: GuestSessions;
  pages: OpenIdPages;
  fetch: OutboundFetch;
}

export interface Issuer {
  tenantId: string;
  slug: string;
  provider: Provider;
  views: ViewSources;
  publicKeys: JWK[];
  /** What the grant of a guest's session to an app is called. */
  grantIdOf(session: GuestSession, appId: string): string;
  /** What the guest is called to the app. */
  subOf(session: GuestSession, client: Client): string;
  tellLogout: TellLogout;
  /** node:http's. */
  handle: ReturnType<Provider['callback']>;
}

interface Entry {
  issuer: Promise<Issuer | null>;
  /** Null until it is read whose it is. */
  tenantId: string | null;
  /** Milliseconds since the epoch: when another key begins to sign. */
  endsAt: number;
}

/** One takes about 32 KB. */
const MAX_ISSUERS = 1000;

export class Issuers {
  readonly #options: IssuersOptions;
  /** By slug, in the order of last use. */
  readonly #entries = new Map<string, Entry>();

  /** Before `listener.start()`, because channels are fixed by then. */
  constructor(options: IssuersOptions) {
    this.#options = options;
    options.ground.listener.on(ISSUER_CHANNEL, (tenantId) => this.#forget(tenantId));
  }

  /** Null when there is no such tenant. */
  async get(slug: string): Promise<Issuer | null> {
    const { ground } = this.#options;
    const now = ground.clock.now().getTime();
    const known = ground.listener.connected ? this.#entries.get(slug) : undefined;
    this.#entries.delete(slug);
    const entry = known && known.endsAt > now ? known : this.#begin(slug);
    this.#entries.set(slug, entry);
    this.#evict();
    const issuer = await entry.issuer;
    if (!issuer) this.#entries.delete(slug);
    return issuer;
  }

  /** For jobs. Null when there is no such tenant. */
  async ofTenant(ctx: RequestContext, tenantId: string): Promise<Issuer | null> {
    const { rows } = await sql<{ slug: string }>`select slug from tenant where id = ${tenantId}`.execute(ctx.db);
    return rows[0] ? this.get(rows[0].slug) : null;
  }

  #begin(slug: string): Entry {
    const entry: Entry = { issuer: Promise.resolve(null), tenantId: null, endsAt: Number.POSITIVE_INFINITY };
    entry.issuer = this.#build(slug, entry);
    entry.issuer.catch(() => {
      if (this.#entries.get(slug) === entry) this.#entries.delete(slug);
    });
    return entry;
  }

  async #build(slug: string, entry: Entry): Promise<Issuer | null> {
    const { ground, publicUrl, sessions, pages, fetch } = this.#options;
    const tenant = await readTenant(new RequestContext(ground, systemActor('OpenID Provider')), slug);
    if (!tenant) return null;
    const { tenantId } = tenant;
    entry.tenantId = tenantId;
    const context = () => new RequestContext(ground, systemActor('OpenID Provider', tenantId));
    const { keys, changesAt } = await loadKeys(context(), tenantId, tenant.algorithms);
    entry.endsAt = changesAt?.getTime() ?? Number.POSITIVE_INFINITY;
    const views = createViews(tenantId, pages);
    const salt = await saltOf(context(), tenantId);
    const cookieKeys = ground.secrets
      .signatures('cookie', `openid/${tenantId}`)
      .map((key) => key.toString('base64url'));
    const parts = { tenantId, slug, publicUrl, keys, salt, cookieKeys, context, sessions, fetch, views };
    const provider = new Provider(issuerUrl(publicUrl, slug), issuerConfiguration(parts));
    // Its addresses come from the headers that `mount.ts` writes, never from the caller's.
    provider.proxy = true;
    compareSecretsByHash(provider, ground.clock);
    provider.use(requestFrame({ provider, tenantId, publicUrl, context, sessions, views }));
    provider.on('authorization.success', (ctx) => noteUse(context(), ctx));
    provider.on('grant.error', (ctx) => noteReuse(context(), ctx));
    provider.on('server_error', (_ctx, error) =>
      ground.log.error({ tenantId, error: describeFault(error) }, 'the OpenID Provider failed'),
    );
    return {
      tenantId,
      slug,
      provider,
      views,
      publicKeys: keys.map(publicPart),
      grantIdOf: (session, appId) => grantId(salt, sessionUidOf(session), appId),
      subOf: ({ externalUserId }, client) =>
        client.subjectType === 'pairwise' ? pairwiseSub(salt, externalUserId, client) : externalUserId,
      tellLogout: logoutByJobs(provider),
      handle: provider.callback(),
    };
  }

  /** Also what is being built: it may have read what was there before. '' forgets all. */
  #forget(tenantId: string): void {
    for (const [slug, entry] of this.#entries) {
      const isTheirs = entry.tenantId === null || entry.tenantId === tenantId;
      if (isTheirs || tenantId === '') this.#entries.delete(slug);
    }
  }

  #evict(): void {
    if (this.#entries.size <= MAX_ISSUERS) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
  }
}

export function issuerUrl(publicUrl: URL, slug: string): string {
  return new URL(`/t/${slug}`, publicUrl).href;
}

interface IssuingTenant {
  tenantId: string;
  /** ES256, and what apps want besides. */
  algorithms: SigningAlgorithm[];
}

async function readTenant(ctx: RequestContext, slug: string): Promise<IssuingTenant | null> {
  const { rows } = await sql<IssuingTenant>`
    select t.id as "tenantId",
      array(select 'ES256' union select signing_algorithm from app a where a.tenant_id = t.id) as algorithms
    from tenant t where t.slug = ${slug}`.execute(ctx.db);
  return rows[0] ?? null;
}
