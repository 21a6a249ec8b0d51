/** Where a guest may be sent on to after signing in: paths of the same tenant's, on our own origin (pure). */
const MAX_LENGTH = 2000;

/** In its normal form; null: anywhere else, or not a path. */
export function returnPath(text: unknown, tenantSlug: string, publicUrl: URL): string | null {
  if (typeof text !== 'string' || text.length > MAX_LENGTH || !text.startsWith('/')) return null;
  const url = URL.parse(text, publicUrl.href);
  const isOurs = url?.origin === publicUrl.origin && url.pathname.startsWith(`/t/${tenantSlug}/`);
  return url && isOurs ? url.pathname + url.search : null;
}
