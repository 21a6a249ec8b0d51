/** Fabrikam's OpenID Provider (`partner-provider.ts`) as a process of its own. */
import { Child } from './child-process.js';
import type { PartnerClient } from './contoso.js';
import { within } from './deadline.js';

const START_SECONDS = 20;

/** Another host name than the gateway's `localhost`, because cookies ignore ports. */
export function partnerIssuer(port: number): string {
  return `http://127.0.0.1:${port}`;
}

export function startPartner(port: number, { clientId, clientSecret, redirectUri }: PartnerClient): Child {
  const env = { PORT: String(port), CLIENT_ID: clientId, CLIENT_SECRET: clientSecret, REDIRECT_URI: redirectUri };
  return new Child({ name: "Fabrikam's provider", program: new URL('./partner-provider.js', import.meta.url), env });
}

export async function untilPartnerReady(partner: Child, issuer: string): Promise<void> {
  const announcement = await within(START_SECONDS, "Fabrikam's provider to start", partner.line());
  const announced = JSON.parse(announcement) as { issuer: string };
  if (announced.issuer !== issuer)
    throw new Error(`Fabrikam's provider runs at ${announced.issuer} instead of ${issuer}.`);
}
