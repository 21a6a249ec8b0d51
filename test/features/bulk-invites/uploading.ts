/** What clients of POST /bulk-invites do: send a file, whole or in parts, and sometimes go away. */
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http';

export interface UploadAnswer {
  status: number;
  headers: IncomingMessage['headers'];
  bulkInviteId?: string;
  errors?: { code: string; field: string[] | null; message: string; retryAfterSeconds: number | null }[];
}

export interface UploadTo {
  url: string;
  key: string | null;
  query: Record<string, string | string[]>;
  headers?: OutgoingHttpHeaders;
  method?: string;
}

/** Begun, with nothing of the body sent; `text/csv` and chunked unless the headers say otherwise. */
export function openUpload({ url, key, query, headers = {}, method = 'POST' }: UploadTo): ClientRequest {
  const parameters = Object.entries(query).flatMap(([name, values]) =>
    [values].flat().map((value): [string, string] => [name, value]),
  );
  const authorization = key === null ? {} : { authorization: `Bearer ${key}` };
  const to = new URL(`/bulk-invites?${new URLSearchParams(parameters)}`, url);
  const sent = request(to, { method, headers: { 'content-type': 'text/csv', ...authorization, ...headers } });
  // What matters is the answer, or that none came.
  sent.on('error', () => undefined);
  return sent;
}

export async function answerTo(sent: ClientRequest): Promise<UploadAnswer> {
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return { status: response.statusCode ?? 0, headers: response.headers, ...(text && JSON.parse(text)) };
}

export async function upload(to: UploadTo, file: string | Buffer): Promise<UploadAnswer> {
  const sent = openUpload(to);
  const answer = answerTo(sent);
  sent.end(file);
  return answer;
}

export function csvOf(count: number, domain: string): string {
  const rows = Array.from({ length: count }, (_, index) => `guest${index}@${domain},Guest ${index}\r\n`);
  return `email,displayName\r\n${rows.join('')}`;
}
