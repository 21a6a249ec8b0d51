/** What a browser sends of a passkey, and what its owner calls it, pure. */
import { isPlainName } from '../../kernel/names.js';

/** Characters of the JSON; a response without attestation has about 1500. */
const MAX_ANSWER_LENGTH = 20_000;
const MAX_LABEL_LENGTH = 60;

/** The form's field as an object that names a credential; null: it is none. Whoever verifies it checks the rest. */
export function readPasskeyAnswer<Answer extends { id: string }>(text: string): Answer | null {
  if (text.length > MAX_ANSWER_LENGTH) return null;
  try {
    const answer = JSON.parse(text) as Partial<Answer> | null;
    return typeof answer?.id === 'string' ? (answer as Answer) : null;
  } catch {
    return null;
  }
}

/** Empty where it is no name. */
export function passkeyLabel(text: string): string {
  const label = text.trim().slice(0, MAX_LABEL_LENGTH).trim();
  return isPlainName(label) ? label : '';
}
