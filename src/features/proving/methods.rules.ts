/**
 * Whether what a guest brings is among the ways that routing yields for the invited address now (pure). Asked anew at every
 * step, so that an outage never adds a way in and a provider that lost its entitlement loses it at once.
 */
import { refuse } from '../../kernel/errors.js';
import { type Method, PASSCODE, type ProviderMethod } from '../identity-providers/routing.rules.js';

export type { Method, ProviderMethod } from '../identity-providers/routing.rules.js';

/** @throws UserError PROOF_REQUIRED when a passcode proves nothing for this address. */
export function checkPasscodeOffered(methods: readonly Method[]): void {
  if (methods.some((method) => method.kind === 'EMAIL_PASSCODE')) return;
  throw refuse('PROOF_REQUIRED', { message: 'Sign in at your organisation: no passcode is sent to this address.' });
}

/** @throws UserError PROOF_REQUIRED when an account at the gateway proves nothing for this address. */
export function checkLocalOffered(methods: readonly Method[]): void {
  if (isLocalOffered(methods)) return;
  throw refuse('PROOF_REQUIRED', { message: 'No account at the gateway signs this address in. Choose another way.' });
}

/** For whoever has no account here, or has set out for something that one cannot prove. */
export function withoutLocal(methods: readonly Method[]): Method[] {
  return methods.filter((method) => method.kind !== 'LOCAL');
}

export function isLocalOffered(methods: readonly Method[]): boolean {
  return methods.some((method) => method.kind === 'LOCAL');
}

/** @throws UserError PROOF_REQUIRED when no provider vouches for this address. */
export function requireProvider(methods: readonly Method[]): ProviderMethod {
  const provider = methods.find((method) => method.providerId !== null);
  if (provider) return provider;
  throw refuse('PROOF_REQUIRED', { message: 'No organisation signs this address in. Use a passcode.' });
}

/** Who vouched, as kept with the flow. */
export interface Voucher {
  kind: string | null;
  /** Empty for the gateway's own passcode. */
  providerId: string | null;
  issuer: string | null;
}

/** Whether what vouched is still what routing entitles: another issuer under the same provider is another organisation. */
export function isEntitled(methods: readonly Method[], { kind, providerId, issuer }: Voucher): boolean {
  return methods.some((method) =>
    method.providerId === null
      ? kind === method.kind && providerId === ''
      : kind === method.kind && providerId === method.providerId && isSameIssuer(method.issuer, issuer),
  );
}

/** Who signed in where routing says has only the address left to prove: the passcode comes first, whatever the policy. */
export function withCompletion(methods: readonly Method[], identity: Voucher): Method[] {
  if (!isEntitled(methods, identity)) return [...methods];
  return [PASSCODE, ...methods.filter(({ kind }) => kind !== 'EMAIL_PASSCODE')];
}

/**
 * `https://login.example` and `https://login.example/` are one issuer, as at OpenID Connect discovery. SAML names need not
 * be URLs: those are the same only letter by letter.
 */
function isSameIssuer(a: string | null, b: string | null): boolean {
  if (a === null || b === null) return false;
  const [first, second] = [URL.parse(a), URL.parse(b)];
  return a === b || (first !== null && first.href === second?.href);
}
