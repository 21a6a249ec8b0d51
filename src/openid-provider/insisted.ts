/**
 * What an app may insist on about the guest: a certain one (`id_token_hint`, or `sub` among the claims), or how they are
 * authenticated (`acr`), which the gateway does not tell. The library asks for a sign-in, and does not look whether that helped.
 */
import { decodeJwt } from 'jose';
import type { InteractionResults, Provider } from 'oidc-provider';

type Interaction = NonNullable<Awaited<ReturnType<Provider['interactionDetails']>>>;

/** The `sub` of the one guest who will do; null: anybody. The library has verified the hint. */
export function insistedSub({ prompt, params }: Pick<Interaction, 'prompt' | 'params'>): string | null {
  const claimed = prompt.details.sub as { value?: unknown } | undefined;
  if (prompt.reasons.includes('claims_id_token_sub_value')) return String(claimed?.value);
  if (prompt.reasons.includes('id_token_hint')) return decodeJwt(String(params.id_token_hint)).sub ?? '';
  return null;
}

/** What no sign-in changes. */
export function insistsOnContext({ prompt }: Pick<Interaction, 'prompt'>): boolean {
  return prompt.reasons.some((reason) => reason === 'essential_acr' || reason === 'essential_acrs');
}

/** The answers that say so (OpenID Connect Core 1.0 section 3.1.2.6; Core Unmet Authentication Requirements 1.0). */
export const anotherGuest: InteractionResults = {
  error: 'login_required',
  error_description: 'another guest is signed in than the one asked for',
};
export const noSuchContext: InteractionResults = {
  error: 'unmet_authentication_requirements',
  error_description: 'the authentication context asked for is not provided',
};
