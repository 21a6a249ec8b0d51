/**
 * What only OpenID Connect providers have: the preset and what it settles, client and secret, or a key of ours. Common use
 * cases are `identity-providers.service.ts`.
 */
import { sql } from 'kysely';
import type { Db } from '../../database/transaction.js';
import { isIdOf } from '../../kernel/ids.js';
import type { Secrets } from '../../kernel/secrets.js';
import type { RequestContext } from '../../request/request-context.js';
import type { Validation } from '../../request/validation.js';
import { type ClientAuthentication, createClientKey, publicJwkOf } from './client-authentication.js';
import type { ClientKey, OpenIdConnectSettings } from './connector.port.js';
import type { IdentityProvider } from './identity-provider.entity.js';
import { checkClientId, checkClientSecret, checkPresetIssuer, checkScopes } from './identity-provider-rules.js';
import { type OpenIdConnectPreset, presets } from './openid-connect-presets.rules.js';

export interface NewOpenIdConnect {
  preset: OpenIdConnectPreset;
  issuer?: string | null;
  clientId: string;
  clientSecret?: string | null;
  /** Null: SECRET when there is one, else NONE. */
  clientAuthentication?: ClientAuthentication | null;
  scopes: string[];
}

export interface OpenIdConnectChange {
  issuer?: string | null;
  clientId?: string | null;
  clientSecret?: string | null;
  clientAuthentication?: ClientAuthentication | null;
  scopes?: string[] | null;
}

/** Checked; what is absent stays as it is. */
export interface CheckedOpenIdConnect {
  columns: Partial<Pick<IdentityProvider, 'preset' | 'issuer' | 'clientId' | 'scopes'>>;
  /** How we authenticate from now on. */
  credential?: { secret: string | null; way: ClientAuthentication };
}

export function checkNew(
  valid: Validation,
  input: NewOpenIdConnect,
  domains: readonly string[],
  allowInsecure: boolean,
): CheckedOpenIdConnect {
  const { preset } = input;
  checkDomainsOf(valid, preset, domains);
  const columns = {
    preset,
    issuer: checkPresetIssuer(valid, preset, input.issuer ?? null, allowInsecure),
    clientId: checkClientId(valid, input.clientId),
    scopes: checkScopes(valid, input.scopes),
  };
  return { columns, credential: checkCredential(valid, input) };
}

/** Some presets leave nothing to name. */
export function checkDomainsOf(valid: Validation, preset: OpenIdConnectPreset, domains: readonly string[]): void {
  if (presets[preset].takesDomains || domains.length === 0) return;
  valid.add('INVALID', ['domains'], 'This preset finds its domains itself. Leave the list empty.');
}

export function checkChange(
  valid: Validation,
  { issuer, clientId, scopes, ...credential }: OpenIdConnectChange,
  preset: OpenIdConnectPreset,
  allowInsecure: boolean,
): CheckedOpenIdConnect {
  const { clientSecret, clientAuthentication } = credential;
  return {
    columns: {
      ...(issuer != null && { issuer: checkPresetIssuer(valid, preset, issuer, allowInsecure) }),
      ...(clientId != null && { clientId: checkClientId(valid, clientId) }),
      ...(scopes != null && { scopes: checkScopes(valid, scopes) }),
    },
    ...((clientSecret !== undefined || clientAuthentication != null) && {
      credential: checkCredential(valid, credential),
    }),
  };
}

function checkCredential(
  valid: Validation,
  { clientSecret = null, clientAuthentication }: Pick<NewOpenIdConnect, 'clientSecret' | 'clientAuthentication'>,
): { secret: string | null; way: ClientAuthentication } {
  const secret = checkClientSecret(valid, clientSecret);
  const way = clientAuthentication ?? (secret === null ? 'NONE' : 'SECRET');
  if (way === 'SECRET' && secret === null) valid.add('REQUIRED', ['oidc', 'clientSecret']);
  if (way !== 'SECRET' && secret !== null)
    valid.add('INVALID', ['oidc', 'clientSecret'], `With ${way} there is no secret. Leave it out.`);
  return { secret, way };
}

/** A key that exists is kept: the provider may have read it already. */
export async function applyOpenIdConnect(
  { secrets }: RequestContext,
  provider: IdentityProvider,
  { columns, credential }: CheckedOpenIdConnect,
): Promise<void> {
  Object.assign(provider, columns);
  if (!credential) return;
  const { secret, way } = credential;
  provider.clientAuthentication = way;
  provider.sealedClientSecret = secret === null ? null : secrets.seal(secret, secretContext(provider.id));
  if (way === 'PRIVATE_KEY' && provider.clientPublicKey !== null) return;
  const key = way === 'PRIVATE_KEY' ? await createClientKey() : null;
  provider.clientPublicKey = key && publicJwkOf(key);
  provider.sealedClientKey = key && secrets.seal(JSON.stringify(key), keyContext(provider.id));
}

/** Sealed for this provider alone: copied to another row it does not open. */
function secretContext(providerId: string): string {
  return `identity_provider:${providerId}`;
}

function keyContext(providerId: string): string {
  return `identity_provider:${providerId}:key`;
}

export type LoadedOpenIdConnect = OpenIdConnectSettings & { displayName: string; enabled: boolean };

interface SettingsRow extends Omit<LoadedOpenIdConnect, 'clientSecret' | 'clientKey'> {
  sealedSecret: Buffer | null;
  sealedKey: Buffer | null;
}

/** Null also for a provider of another kind. */
export async function loadOpenIdConnect(
  db: Db,
  secrets: Secrets,
  tenantId: string,
  providerId: string,
): Promise<LoadedOpenIdConnect | null> {
  const { rows } = await sql<SettingsRow>`
    select id, issuer, preset, client_id as "clientId", sealed_client_secret as "sealedSecret",
      sealed_client_key as "sealedKey", scopes, display_name as "displayName", enabled
    from identity_provider where tenant_id = ${tenantId} and id = ${providerId} and kind = 'OIDC'`.execute(db);
  const [row] = rows;
  if (!row) return null;
  const { sealedSecret, sealedKey, ...provider } = row;
  return {
    ...provider,
    clientSecret: sealedSecret && secrets.open(sealedSecret, secretContext(providerId)),
    clientKey: sealedKey && (JSON.parse(secrets.open(sealedKey, keyContext(providerId))) as ClientKey),
  };
}

/** What the provider reads from us to check our signatures (RFC 7517 section 5); null: there is no key of this provider. */
export async function clientKeySet(db: Db, providerId: string): Promise<{ keys: object[] } | null> {
  if (!isIdOf('IdentityProvider', providerId)) return null;
  const { rows } = await sql<{ key: object }>`
    select client_public_key as key from identity_provider
    where id = ${providerId} and client_public_key is not null`.execute(db);
  return rows[0] ? { keys: [rows[0].key] } : null;
}
