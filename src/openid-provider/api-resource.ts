/** The gateway's own API as an audience of access tokens (RFC 8707), for apps that a tenant lets ask for it. */
export const API_PATH = '/graphql';

/** `read`: what the bearer's roles let them see; `write`: all that they let them do. */
export const apiScopes = ['read', 'write'] as const;
export type ApiScope = (typeof apiScopes)[number];

export function apiResource(publicUrl: URL): string {
  return new URL(API_PATH, publicUrl).href;
}
