/**
 * Access tokens of a tenant's issuer as credentials of the API: people by authorization code, terminals by device code,
 * scripts by client credentials. The token says who and which scope; what they may do is asked of the database each time,
 * so that a role taken away is felt at once. A token of one tenant opens that tenant alone.
 */
import { createLocalJWKSet, decodeJwt, errors, type JWTPayload, jwtVerify } from 'jose';
import { findOperatorRights } from '../features/operators/operator-rights.queries.js';
import { type Actor, type Permission, platformPermissions, systemActor } from '../kernel/actor.js';
import { isIdOf } from '../kernel/ids.js';
import { type Ground, RequestContext } from '../request/request-context.js';
import { API_PATH, type ApiScope, apiResource } from './api-resource.js';
import type { Issuers } from './issuers.js';

const jwtPattern = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i;
const issuerPattern = /^\/t\/([a-z0-9-]{3,40})$/;

export class OperatorTokens {
  readonly #ground: Ground;
  readonly #issuers: Issuers;
  readonly #publicUrl: URL;

  constructor(ground: Ground, issuers: Issuers, publicUrl: URL) {
    this.#ground = ground;
    this.#issuers = issuers;
    this.#publicUrl = publicUrl;
  }

  /** Null when it is no such token, or worth nothing. */
  async authenticate(authorization: string | undefined): Promise<Actor | null> {
    const token = jwtPattern.exec(authorization ?? '')?.[1];
    if (token === undefined) return null;
    try {
      return await this.#actorOf(token);
    } catch (error) {
      if (error instanceof errors.JOSEError) return null;
      throw error;
    }
  }

  /** The same actor as of now, for sockets, which outlive a request. */
  async current(actor: Actor): Promise<Actor | null> {
    const { id, tenantId, expiresAt } = actor;
    if (id === null || tenantId === null || (expiresAt && expiresAt <= this.#ground.clock.now())) return null;
    const rights = await findOperatorRights(this.#context(tenantId).db, tenantId, id);
    if (!rights) return null;
    return { ...actor, permissions: new Set([...actor.permissions].filter((each) => rights.permissions.has(each))) };
  }

  async #actorOf(token: string): Promise<Actor | null> {
    const { iss } = decodeJwt(token);
    const issuerOfToken = URL.parse(iss ?? '');
    const slug = issuerPattern.exec(issuerOfToken?.pathname ?? '')?.[1];
    if (slug === undefined || issuerOfToken?.origin !== this.#publicUrl.origin) return null;
    const issuer = await this.#issuers.get(slug);
    if (!issuer) return null;
    const { payload } = await jwtVerify(token, createLocalJWKSet({ keys: issuer.publicKeys }), {
      issuer: issuer.provider.issuer,
      audience: apiResource(this.#publicUrl),
      typ: 'at+jwt',
      currentDate: new Date(),
    });
    // Bound to a key of the client (RFC 9449): it would have to be proven here.
    if (payload.cnf !== undefined) return null;
    return this.#actor(issuer.tenantId, payload);
  }

  async #actor(tenantId: string, { sub = '', exp = 0, scope }: JWTPayload): Promise<Actor | null> {
    if (!isIdOf('ExternalUser', sub) && !isIdOf('App', sub)) return null;
    const rights = await findOperatorRights(this.#context(tenantId).db, tenantId, sub);
    if (!rights) return null;
    const scopes = new Set(String(scope ?? '').split(' ')) as Set<ApiScope>;
    const permissions = [...rights.permissions].filter((permission) => isCovered(permission, scopes));
    const { displayName } = rights;
    const expiresAt = new Date(exp * 1000);
    return { kind: 'OPERATOR', id: sub, displayName, tenantId, permissions: new Set(permissions), expiresAt };
  }

  #context(tenantId: string): RequestContext {
    return new RequestContext(this.#ground, systemActor(`operators at ${API_PATH}`, tenantId));
  }
}

function isCovered(permission: Permission, scopes: ReadonlySet<ApiScope>): boolean {
  if (platformPermissions.includes(permission)) return false;
  return (
    scopes.has('write') || (scopes.has('read') && permission.endsWith('_READ') && permission !== 'REDEEM_URL_READ')
  );
}
