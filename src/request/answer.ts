/** Where use cases meet payloads: a refusal becomes `userErrors` beside a null entity, everything else goes on upwards. */
import { UserError, type UserErrorEntry } from '../kernel/errors.js';

export type Answer<T> = Partial<T> & { userErrors: UserErrorEntry[] };

export async function answer<T extends object>(work: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { ...(await work()), userErrors: [] };
  } catch (error) {
    if (error instanceof UserError) return { userErrors: error.entries } as unknown as Answer<T>;
    throw error;
  }
}

/** `answer` for payloads that may warn; a refusal has no warnings. */
export async function answerWarning<T extends { warnings: string[] }>(work: () => Promise<T>): Promise<Answer<T>> {
  return { warnings: [], ...(await answer(work)) };
}
