/** In which order a tenant or partner offers ways to prove an address, and what stays beside a provider (pure). */
import type { Validation } from '../../request/validation.js';

/** TENANT_PROVIDERS: those entitled to the domain; SOCIAL: whoever hosts mailboxes for everybody at that domain. */
export const signInMethods = ['TENANT_PROVIDERS', 'SOCIAL', 'EMAIL_PASSCODE', 'LOCAL'] as const;
export type SignInMethod = (typeof signInMethods)[number];

export const signInFallbacks = ['NONE', 'EMAIL_PASSCODE'] as const;
export type SignInFallback = (typeof signInFallbacks)[number];

export interface SignInPolicy {
  /** What is missing is switched off. */
  order: SignInMethod[];
  /** What is offered besides the provider that an address is routed to. */
  fallback: SignInFallback;
}

export const defaultSignInPolicy: Readonly<SignInPolicy> = { order: [...signInMethods], fallback: 'NONE' };

export function checkSignInPolicy(valid: Validation, { order, fallback }: SignInPolicy, ...path: string[]): void {
  if (order.length === 0) valid.add('REQUIRED', [...path, 'order'], 'Name at least one method.');
  if (new Set(order).size < order.length) valid.add('INVALID', [...path, 'order'], 'Name each method once.');
  // An account here is set up by whoever has proven the address, and that takes a code.
  if (order.includes('LOCAL') && !order.includes('EMAIL_PASSCODE'))
    valid.add('INVALID', [...path, 'order'], 'LOCAL needs EMAIL_PASSCODE: accounts are set up with a proven address.');
  if (fallback !== 'NONE' && !order.includes(fallback))
    valid.add(
      'INVALID',
      [...path, 'fallback'],
      `The order has to contain ${fallback}, or nothing can fall back to it.`,
    );
}
