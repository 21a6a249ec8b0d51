/** What an enhanced status code (RFC 3463, registry of RFC 5248) means, as half a sentence for whoever invited. */

/** By the code without its class, longest match first. */
const meanings: Record<string, string> = {
  '1.1': 'the address does not exist',
  '1.2': 'the domain of the address takes no mail',
  '1.3': 'the address is not valid',
  '1.6': 'the mailbox has moved away',
  '1.10': 'the domain of the address takes no mail',
  '2.1': 'the mailbox is disabled',
  '2.2': 'the mailbox is full',
  '2.3': 'the mail is too large for it',
  '3.4': 'the mail is too large for it',
  '4.1': 'its mail server does not answer',
  '4.4': 'its mail server cannot be found',
  '4.7': 'its mail server did not take it in time',
  '7': 'its rules do not let the mail in',
};

/** About the recipient's mailbox and nobody else; the rest may as well be about us who send. */
const recipientOnly = new Set(['1.1', '1.2', '1.3', '1.6', '1.10', '2.1', '2.2']);

const enhancedStatus = /\b([245])\.(\d{1,3})\.(\d{1,3})\b/;

/** `5.1.1`, the first one in a text; null when there is none. */
export function findEnhancedStatus(text: string): string | null {
  return enhancedStatus.exec(text)?.[0] ?? null;
}

/** `: the mailbox is full`, or '' when the code says nothing that would help. */
export function refusalWords(status: string | null): string {
  const [, subject = '', detail = ''] = status?.split('.') ?? [];
  const meaning = meanings[`${subject}.${detail}`] ?? meanings[subject];
  return meaning ? `: ${meaning}` : '';
}

export function isAboutRecipient(status: string | null): boolean {
  return status !== null && recipientOnly.has(status.split('.').slice(1).join('.'));
}
