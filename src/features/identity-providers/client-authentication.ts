/**
 * How we prove at a provider's token endpoint that we are the client: by the secret the provider gave, by a key of ours that
 * the provider reads from us (RFC 7523, `private_key_jwt`), or not at all (a public client, which has PKCE).
 */
import { webcrypto } from 'node:crypto';
import * as openid from 'openid-client';
import { randomToken } from '../../kernel/secrets.js';
import type { ClientKey, OpenIdConnectSettings } from './connector.port.js';

export const clientAuthentications = ['SECRET', 'PRIVATE_KEY', 'NONE'] as const;
export type ClientAuthentication = (typeof clientAuthentications)[number];

/** What every provider has to know (OpenID Connect Core 1.0 section 15.1). */
const RS256 = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
const KEY_PARAMETERS = { ...RS256, publicExponent: new Uint8Array([1, 0, 1]), modulusLength: 2048 };

export async function clientAuthentication({
  clientKey,
  clientSecret,
}: OpenIdConnectSettings): Promise<openid.ClientAuth> {
  if (clientKey) return openid.PrivateKeyJwt({ key: await importKey(clientKey), kid: clientKey.kid });
  return clientSecret === null ? openid.None() : bySecret(clientSecret);
}

/** client_secret_basic, the default of RFC 7591 section 2, unless the provider lists only client_secret_post. */
function bySecret(secret: string): openid.ClientAuth {
  return (server, client, body, headers) => {
    const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
    const usePost = !methods.includes('client_secret_basic') && methods.includes('client_secret_post');
    const authenticate = usePost ? openid.ClientSecretPost(secret) : openid.ClientSecretBasic(secret);
    authenticate(server, client, body, headers);
  };
}

function importKey({ jwk }: ClientKey): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey('jwk', jwk as webcrypto.JsonWebKey, RS256, false, ['sign']);
}

export async function createClientKey(): Promise<ClientKey> {
  const { privateKey } = await webcrypto.subtle.generateKey(KEY_PARAMETERS, true, ['sign', 'verify']);
  const jwk = await webcrypto.subtle.exportKey('jwk', privateKey);
  return { kid: randomToken(), jwk: { ...jwk } };
}

/** For our key set: modulus and exponent, nothing private (RFC 7518 section 6.3.1). */
export function publicJwkOf({ kid, jwk: { kty, n, e } }: ClientKey): Record<string, unknown> {
  return { kty, n, e, kid, alg: 'RS256', use: 'sig' };
}
