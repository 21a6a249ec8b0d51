/**
 * Fabrikam, the demo's partner organisation, as a process of its own: an OpenID Connect provider at which everybody of
 * `fabrikam.example` has an account. The environment gives PORT (absent: any free port), CLIENT_ID, CLIENT_SECRET and
 * REDIRECT_URI of the gateway; one JSON line on stdout, `{"issuer": ...}`, says that it is ready. It ends with its parent: when stdin or IPC closes,
 * so whoever starts it leaves stdin a pipe.
 */
import type { ClientMetadata } from 'oidc-provider';
import { parseEmailAddress } from '../src/kernel/email-address.js';
import { startOpenIdProvider } from './openid-provider.js';
import { answerAtPortal, portalClient } from './partner-portal.js';

const DOMAIN = 'fabrikam.example';

const clients: ClientMetadata[] = [
  {
    client_id: required('CLIENT_ID'),
    client_secret: required('CLIENT_SECRET'),
    redirect_uris: [required('REDIRECT_URI')],
  },
];
const provider = await startOpenIdProvider({
  organisation: 'Fabrikam',
  port: Number(process.env.PORT ?? 0),
  clients,
  claimsOf,
  intercept: answerAtPortal,
});
clients.push(portalClient(provider.issuer));

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, stop);
process.once('disconnect', stop);
process.stdin.once('close', stop).resume();
process.stdout.write(`${JSON.stringify({ issuer: provider.issuer })}\n`);

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`Set ${name}: the partner's provider needs it to know the gateway.`);
  return value;
}

function claimsOf(text: string) {
  const email = parseEmailAddress(text);
  if (email?.domain !== DOMAIN) return null;
  return { email: email.address, email_verified: true, name: nameFrom(email.address) };
}

/** `ada.lovelace@...` becomes `Ada Lovelace`. */
function nameFrom(address: string): string {
  const words = address
    .slice(0, address.lastIndexOf('@'))
    .split(/[._-]+/)
    .filter(Boolean);
  return words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join(' ');
}

function stop(): void {
  void provider.stop().finally(() => process.exit());
}
