/** How scripts of an administrator and of a guest call the gateway: with patience, and again when they got no answer. */
import { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { KEY } from '../resilience/gateway-process.js';

// biome-ignore lint/suspicious/noExplicitAny: callers read what they asked for
export type Data = any;

export interface Calls {
  /** Answers that settled a request. */
  answered: number;
  /** Times that no answer came, or one that settled nothing: cut off, timed out, 5xx, INTERNAL_SERVER_ERROR. */
  unanswered: number;
  /** How often by what they were told, shortened. */
  reasons: Record<string, number>;
}

const TIMEOUT_MILLISECONDS = 10_000;
const REASON_LENGTH = 100;
const AGAIN_MILLISECONDS = 200;
const PATIENCE_MILLISECONDS = 180_000;
const UPLOAD_TIMEOUT_MILLISECONDS = 20_000;
const UPLOAD_PART_BYTES = 10_000;
const UPLOAD_PART_MILLISECONDS = 100;
/** Cut off, an earlier attempt of ours is still taken for alive, a fault, stopping. */
const uploadAgain = [400, 409, 500, 503];

export class Clients {
  readonly calls: Calls = { answered: 0, unanswered: 0, reasons: {} };
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /**
   * The data, once there is an answer; asked again until then, so documents must bear being repeated.
   * @throws Error for errors that asking again does not mend, and when patience ends.
   */
  async ask(query: string, variables: object, { key = KEY }: { key?: string | null } = {}): Promise<Data> {
    const giveUpAt = Date.now() + PATIENCE_MILLISECONDS;
    for (;;) {
      const { answer, failure } = await settle(this.#post(JSON.stringify({ query, variables }), key), failureOf);
      if (!failure) {
        this.calls.answered += 1;
        return answer?.data;
      }
      if (failure instanceof Refused) throw failure;
      this.#noteUnanswered(failure);
      if (Date.now() > giveUpAt) throw new GaveUp(failure.message);
      await wait(AGAIN_MILLISECONDS);
    }
  }

  /**
   * Sends a file slowly, so that something can happen meanwhile, until it was taken whole.
   * @param parameters an idempotency key among them, so that only one of the attempts counts.
   * @returns the id of the bulk invite.
   */
  async upload(parameters: Record<string, string>, csv: string): Promise<string> {
    const giveUpAt = Date.now() + PATIENCE_MILLISECONDS;
    for (;;) {
      const { answer, failure } = await settle(this.#send(parameters, csv), uploadFailureOf);
      if (answer && !failure) {
        this.calls.answered += 1;
        return answer.bulkInviteId;
      }
      if (failure instanceof Refused) throw failure;
      this.#noteUnanswered(failure ?? new Error('upload'));
      if (Date.now() > giveUpAt) throw new GaveUp('upload');
      await wait(AGAIN_MILLISECONDS);
    }
  }

  async #send(parameters: Record<string, string>, csv: string): Promise<{ status: number; bulkInviteId: string }> {
    const response = await fetch(`${this.#url}/bulk-invites?${new URLSearchParams(parameters)}`, {
      method: 'POST',
      headers: { 'content-type': 'text/csv', authorization: `Bearer ${KEY}` },
      body: Readable.toWeb(Readable.from(slowly(csv))) as ReadableStream,
      duplex: 'half',
      signal: AbortSignal.timeout(UPLOAD_TIMEOUT_MILLISECONDS),
    } as RequestInit);
    return { status: response.status, ...((await response.json()) as { bulkInviteId: string }) };
  }

  #noteUnanswered({ message, cause }: Error): void {
    const reason = `${message} ${(cause as { code?: string } | undefined)?.code ?? ''}`.slice(0, REASON_LENGTH).trim();
    this.calls.unanswered += 1;
    this.calls.reasons[reason] = (this.calls.reasons[reason] ?? 0) + 1;
  }

  async #post(body: string, key: string | null): Promise<Answer> {
    const response = await fetch(`${this.#url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(key === null ? {} : { authorization: `Bearer ${key}` }) },
      body,
      signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS),
    });
    return { status: response.status, ...((await response.json()) as Omit<Answer, 'status'>) };
  }
}

async function* slowly(text: string): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += UPLOAD_PART_BYTES) {
    yield bytes.subarray(at, at + UPLOAD_PART_BYTES);
    await wait(UPLOAD_PART_MILLISECONDS);
  }
}

interface Answer {
  status: number;
  data?: Data;
  errors?: { message: string; extensions: { code: string } }[];
}

class Refused extends Error {}

/** No answer for so long that nobody asks any more: whether it was done is not known. */
export class GaveUp extends Error {}

/** Not by `instanceof Error`: under jest, what Node throws is of another realm. */
function settle<T>(
  asked: Promise<T>,
  judge: (answer: T) => Error | null,
): Promise<{ answer: T | null; failure: Error | null }> {
  return asked.then(
    (answer) => ({ answer, failure: judge(answer) }),
    (failure: Error) => ({ answer: null, failure }),
  );
}

function uploadFailureOf({ status, ...rest }: { status: number }): Error | null {
  if (status === 202) return null;
  const text = `upload ${status}`;
  return uploadAgain.includes(status) ? new Error(text) : new Refused(`${text} ${JSON.stringify(rest)}`);
}

function failureOf({ status, errors }: Answer): Error | null {
  if (!errors && status === 200) return null;
  const text = `${status} ${JSON.stringify(errors)}`;
  const isForNow = status >= 500 || errors?.some(({ extensions }) => extensions.code === 'INTERNAL_SERVER_ERROR');
  return isForNow ? new Error(text) : new Refused(text);
}
