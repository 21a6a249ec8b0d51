/**
 * What every page of ours tells the browser: no scripts but where a passkey is asked for, nothing from elsewhere, no framing, no referrer, no caching.
 * Chromium applies `form-action` to redirects after a POST, so that steps to other origins are pages with a link.
 */
const directives = [
  "default-src 'none'",
  "style-src 'self'",
  "img-src 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
];
const contentSecurityPolicy = directives.join('; ');

/** The page's own script files; it sends what it has by a form, and connects to nothing. */
export const scriptedPolicy = [...directives, "script-src 'self'"].join('; ');

const headers = {
  'content-security-policy': contentSecurityPolicy,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'x-robots-tag': 'noindex',
};

/** One year, in seconds. */
const STRICT_TRANSPORT = { 'strict-transport-security': 'max-age=31536000' };

export function securityHeaders(publicUrl: URL): Record<string, string> {
  return publicUrl.protocol === 'https:' ? { ...headers, ...STRICT_TRANSPORT } : headers;
}
