/**
 * The raw limits of mail: nodemailer's pool alone, sending one ready-made message as often as it is asked to. As `bytes` the
 * message goes out as it is; as `parts` its subject, text and HTML are ready, and nodemailer makes a mail of them.
 */
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { createTransport } from 'nodemailer';

const pool = createTransport({
  url: process.env.SMTP_URL,
  pool: true,
  maxConnections: Number(process.env.CONNECTIONS),
  maxMessages: Number.POSITIVE_INFINITY,
});
const from = 'bench@vestibule.example';
const to = 'guest@fabrikam.example';
const envelope = { from, to: [to] };

/** Answers with the seconds it took, and the seconds of processor time. */
async function send(message: object, count: number): Promise<{ seconds: number; processor: number }> {
  const began = performance.now();
  const before = process.cpuUsage();
  let left = count;
  const loop = async () => {
    while (left-- > 0) await pool.sendMail({ envelope, ...message });
  };
  // More loops than connections, so that the pool always has a next one at hand.
  await Promise.all(Array.from({ length: 4 * Number(process.env.CONNECTIONS) }, loop));
  const { user, system } = process.cpuUsage(before);
  return { seconds: (performance.now() - began) / 1000, processor: (user + system) / 1e6 };
}

function messageOf(form: unknown, body: Buffer): object {
  return form === 'parts' ? { from, to, ...(JSON.parse(body.toString()) as object) } : { raw: body };
}

const server = createServer((request, response) => {
  const count = Number(request.headers['x-count'] ?? 0);
  buffer(request)
    .then((body) => (count > 0 ? send(messageOf(request.headers['x-form'], body), count) : {}))
    .then(
      (answer) => response.end(JSON.stringify(answer)),
      (error: Error) => response.writeHead(500).end(error.message),
    );
});
server.listen(Number(process.env.PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
