/**
 * The administrator's side of the demo: GraphQL over HTTP and, for subscriptions, over one socket. Any error and any
 * `userErrors` ends the demo, because nothing it asks for may be refused.
 */
import { type Client, createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { within } from './deadline.js';

const ANSWER_SECONDS = 15;

interface GraphqlResult {
  data?: Record<string, unknown> | null | undefined;
  errors?: readonly { message: string }[] | undefined;
}

export class GraphqlClient {
  readonly url: string;
  readonly #authorization: string;
  readonly #socket: Client;

  constructor(gatewayUrl: string, apiKey: string) {
    this.url = `${gatewayUrl}/graphql`;
    this.#authorization = `Bearer ${apiKey}`;
    this.#socket = createClient({
      url: this.url.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      connectionParams: { authorization: this.#authorization },
      retryAttempts: 0,
    });
  }

  /** The one field that a document asks for. */
  async ask<T>(query: string, variables: object = {}): Promise<T> {
    const request = fetch(this.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: this.#authorization },
      body: JSON.stringify({ query, variables }),
    });
    const response = await within(ANSWER_SECONDS, 'an answer over GraphQL', request);
    return onlyField((await response.json()) as GraphqlResult);
  }

  /** The one field of each result, as they come, until the subscription completes. */
  async *follow<T>(query: string, variables: Record<string, unknown>): AsyncGenerator<T> {
    try {
      for await (const result of this.#socket.iterate({ query, variables })) yield onlyField(result);
    } catch (cause) {
      throw cause instanceof Error ? cause : brokenOff(cause);
    }
  }

  async stop(): Promise<void> {
    await this.#socket.dispose();
  }
}

/** graphql-ws throws what the gateway answered, a list of errors, or the event that closed the socket. */
function brokenOff(cause: unknown): Error {
  if (Array.isArray(cause)) return new Error(`GraphQL answered: ${cause.map(({ message }) => message).join(' ')}`);
  const { code, reason } = cause as { code?: number; reason?: string };
  return new Error(`The gateway closed the socket (${[code, reason].filter(Boolean).join(' ')}).`);
}

function onlyField<T>({ data, errors }: GraphqlResult): T {
  if (errors?.length) throw new Error(`GraphQL answered: ${errors.map((error) => error.message).join(' ')}`);
  const [name, field] = Object.entries(data ?? {})[0] ?? [];
  const refused = (field as { userErrors?: object[] } | null | undefined)?.userErrors ?? [];
  if (refused.length > 0) throw new Error(`${name} was refused: ${JSON.stringify(refused)}`);
  return field as T;
}
