/**
 * What the partner's people open in the morning: a page of their own organisation, for which they sign in there. Whoever has
 * done so is not asked again when an invitation of somebody else leads there.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ClientMetadata } from 'oidc-provider';

export const PORTAL_PATH = '/portal';
const HOME_PATH = '/portal/home';
const CLIENT_ID = 'portal';

/** It wants to know that somebody is signed in, and no token (OAuth 2.0 Multiple Response Type Encoding Practices, section 4). */
export function portalClient(issuer: string): ClientMetadata {
  return {
    client_id: CLIENT_ID,
    redirect_uris: [issuer + HOME_PATH],
    response_types: ['none'],
    grant_types: [],
    token_endpoint_auth_method: 'none',
  };
}

/** @returns true when it has answered. */
export function answerAtPortal(request: IncomingMessage, response: ServerResponse): boolean {
  const { pathname } = new URL(request.url ?? '/', 'http://portal');
  if (pathname === HOME_PATH) {
    response
      .writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
      .end('<main><h1>Fabrikam portal</h1></main>');
    return true;
  }
  if (pathname !== PORTAL_PATH) return false;
  const query = new URLSearchParams({
    client_id: CLIENT_ID,
    response_type: 'none',
    scope: 'openid',
    redirect_uri: `http://${request.headers.host}${HOME_PATH}`,
  });
  response.writeHead(303, { location: `/auth?${query}` }).end();
  return true;
}
