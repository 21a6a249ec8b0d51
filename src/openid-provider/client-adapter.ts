/**
 * Apps as the library's clients, read at every request: what is changed about an app holds at once, in every process. Secrets
 * are stored hashed, two at a time while an app changes over, so the library's comparison is replaced.
 */
import { sql } from 'kysely';
import type { Adapter, AdapterPayload, Client, Provider } from 'oidc-provider';
import type { Row } from '../database/table.js';
import { App, type ClientAuthentication, type GrantType } from '../features/apps/app.entity.js';
import type { Clock } from '../kernel/clock.js';
import { isIdOf } from '../kernel/ids.js';
import { equalBytes, hashToken } from '../kernel/secrets.js';
import type { TenantContext } from './payload-adapter.js';
import { joseName } from './signing-keys.js';

/** What the library does not know of clients, and hands back with them. */
export interface ClientExtras {
  second_factor_required: boolean;
  consent_required: boolean;
  api_access: boolean;
  /** Seconds. */
  access_token_lifetime: number;
  /** Seconds. */
  refresh_token_lifetime: number;
  logo_url: string | null;
  home_page_url: string;
  /** base64url */
  secret_hash: string;
  previous_secret_hash: string | null;
  /** Milliseconds since the epoch. */
  previous_secret_until: number | null;
}

export const clientExtraNames = [
  'second_factor_required',
  'consent_required',
  'api_access',
  'access_token_lifetime',
  'refresh_token_lifetime',
  'logo_url',
  'home_page_url',
  'secret_hash',
  'previous_secret_hash',
  'previous_secret_until',
] as const satisfies (keyof ClientExtras)[];

export function extrasOf(client: Client): ClientExtras {
  return client as unknown as ClientExtras;
}

interface ClientRow extends Row<App> {
  secretHash: Buffer;
  previousHash: Buffer | null;
  previousUntil: Date | null;
}

const grantTypeNames: Record<GrantType, string> = {
  AUTHORIZATION_CODE: 'authorization_code',
  REFRESH_TOKEN: 'refresh_token',
  CLIENT_CREDENTIALS: 'client_credentials',
  DEVICE_CODE: 'urn:ietf:params:oauth:grant-type:device_code',
};

const authenticationNames: Record<ClientAuthentication, string> = {
  CLIENT_SECRET_BASIC: 'client_secret_basic',
  CLIENT_SECRET_POST: 'client_secret_post',
  PRIVATE_KEY_JWT: 'private_key_jwt',
  NONE: 'none',
};

/** The library wants to see one; nothing is ever compared with it. */
const HIDDEN_SECRET = 'hashed';
const DAY_SECONDS = 24 * 60 * 60;

export class ClientAdapter implements Adapter {
  readonly #tenantId: string;
  readonly #context: TenantContext;

  constructor(tenantId: string, context: TenantContext) {
    this.#tenantId = tenantId;
    this.#context = context;
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    if (!isIdOf('App', id)) return undefined;
    const ctx = this.#context();
    const { rows } = await sql<ClientRow>`
      select ${ctx.tables.columns(App, 'a')}, a.client_secret_hash as "secretHash",
        a.previous_client_secret_hash as "previousHash", a.previous_secret_expires_at as "previousUntil"
      from app a
      where a.tenant_id = ${this.#tenantId} and a.client_id = ${id} and a.enabled`.execute(ctx.db);
    return rows[0] ? clientMetadata(rows[0]) : undefined;
  }

  async findByUid(): Promise<undefined> {}
  async findByUserCode(): Promise<undefined> {}
  async upsert(): Promise<void> {}
  async consume(): Promise<void> {}
  async destroy(): Promise<void> {}
  async revokeByGrantId(): Promise<void> {}
}

function clientMetadata(app: ClientRow): AdapterPayload & ClientExtras {
  const method = authenticationNames[app.clientAuthentication];
  const hasCode = app.grantTypes.includes('AUTHORIZATION_CODE') && app.redirectUris.length > 0;
  const grantTypes = app.grantTypes.filter((grant) => grant !== 'AUTHORIZATION_CODE' || hasCode);
  return {
    client_id: app.clientId,
    client_name: app.displayName,
    ...(method.startsWith('client_secret') && { client_secret: HIDDEN_SECRET }),
    token_endpoint_auth_method: method as 'none',
    grant_types: grantTypes.map((grant) => grantTypeNames[grant]),
    response_types: hasCode ? ['code'] : [],
    response_modes: ['query'],
    redirect_uris: app.redirectUris,
    post_logout_redirect_uris: app.postLogoutRedirectUris,
    ...(app.backchannelLogoutUrl && {
      backchannel_logout_uri: app.backchannelLogoutUrl,
      backchannel_logout_session_required: true,
    }),
    ...(app.jwks && { jwks: app.jwks as { keys: [] } }),
    ...(app.jwksUrl && { jwks_uri: app.jwksUrl }),
    id_token_signed_response_alg: joseName(app.signingAlgorithm),
    subject_type: app.subjectType === 'PAIRWISE' ? 'pairwise' : 'public',
    second_factor_required: app.secondFactorRequired,
    consent_required: app.consentRequired,
    api_access: app.apiAccess,
    access_token_lifetime: app.accessTokenLifetimeSeconds,
    refresh_token_lifetime: app.refreshTokenLifetimeDays * DAY_SECONDS,
    logo_url: app.logoUrl,
    home_page_url: app.homePageUrl,
    secret_hash: app.secretHash.toString('base64url'),
    previous_secret_hash: app.previousHash?.toString('base64url') ?? null,
    previous_secret_until: app.previousUntil?.getTime() ?? null,
  };
}

export function compareSecretsByHash(provider: Provider, clock: Clock): void {
  provider.Client.prototype.compareClientSecret = function compareClientSecret(this: Client, given: string): boolean {
    const { secret_hash, previous_secret_hash, previous_secret_until } = extrasOf(this);
    const hash = hashToken(given);
    const isPrevious =
      previous_secret_hash !== null && equalBytes(Buffer.from(previous_secret_hash, 'base64url'), hash);
    const isStillTaken = previous_secret_until !== null && previous_secret_until > clock.now().getTime();
    return equalBytes(Buffer.from(secret_hash, 'base64url'), hash) || (isPrevious && isStillTaken);
  };
}
