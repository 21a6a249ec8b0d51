/** Which page of "no more invitations" is shown now, pure. */
import type { Recipient, UnsubscribeView } from '../features/unsubscriptions/unsubscribe.queries.js';
import { maskEmailAddress } from '../kernel/email-address.js';
import type { Problem } from './error-pages.js';
import { alertFacts } from './guest-pages.js';
import { brandOf, type Page, type PageTemplate } from './page.js';

type Shown = Pick<
  Recipient,
  'email' | 'language' | 'tenantName' | 'logoPath' | 'accentColor' | 'supportEmail' | 'privacyStatementUrl'
>;

/** Says nothing of whether the address is unsubscribed: whoever was forwarded the mail sees it as well. */
export function unsubscribePage(recipient: Shown, token: string, csrf: string): Page {
  return page('unsubscribe', recipient, { token, csrf, address: maskEmailAddress(recipient.email) });
}

/** @param found what went wrong in the step before. */
export function unsubscribeFlowPage(
  { flowId, recipient, isProven, isUnsubscribed }: Omit<UnsubscribeView, 'recipient'> & { recipient: Shown },
  csrf: string,
  found: Problem | null,
): Page {
  if (isProven) return page('unsubscribe-choice', recipient, { flowId, csrf, isUnsubscribed, email: recipient.email });
  const facts = { flowId, csrf, address: maskEmailAddress(recipient.email), ...alertFacts(found, recipient.language) };
  return { ...page('unsubscribe-passcode', recipient, facts), status: found?.status ?? 200 };
}

function page(template: PageTemplate, recipient: Shown, facts: Record<string, unknown>): Page {
  return { template, status: 200, language: recipient.language, brand: brandOf(recipient), facts };
}
