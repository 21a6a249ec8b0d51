/** The authorization code flow as an app goes through it. */
import * as client from 'openid-client';
import type { GuestBrowser } from '../web/guest-browser.js';
import { open } from './guest.js';
import { CALLBACK } from './relying-party.js';

export interface Attempt {
  config: client.Configuration;
  url: URL;
  checks: client.AuthorizationCodeGrantChecks;
}

export async function beginAuthorization(
  config: client.Configuration,
  parameters: Record<string, string> = {},
): Promise<Attempt> {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const checks = { pkceCodeVerifier, expectedState: client.randomState(), expectedNonce: client.randomNonce() };
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: CALLBACK,
    scope: 'openid',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    ...parameters,
  });
  return { config, url, checks };
}

export function finishAuthorization({ config, checks }: Attempt, callback: URL) {
  return client.authorizationCodeGrant(config, callback, checks);
}

/** For a guest whom nothing has to be asked. */
export async function authorize(
  config: client.Configuration,
  browser: GuestBrowser,
  parameters: Record<string, string> = {},
) {
  const attempt = await beginAuthorization(config, parameters);
  const { url, page } = await open(browser, attempt.url);
  if (!url) throw new Error(`It stopped at ${page.url.pathname}, status ${page.status}: ${page.html}`);
  return finishAuthorization(attempt, url);
}
