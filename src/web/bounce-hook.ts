/**
 * `POST /mail/bounces`: where a mail service, or a filter of the mail server, tells that a mail came back. Signed as a whole with
 * a shared secret; a signature is good for five minutes. What counts as a bounce is `invitations/bounces.service.ts`.
 */
import { createHmac } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { BounceReport, BounceVerdict } from '../kernel/bounce-report.js';
import { type Clock, MINUTE, SECOND } from '../kernel/clock.js';
import { RequestError, requestErrors } from '../kernel/errors.js';
import { describeFault } from '../kernel/fault.js';
import type { Log } from '../kernel/log.js';
import { findEnhancedStatus } from '../kernel/mail-status.js';
import { equalBytes } from '../kernel/secrets.js';
import { readDeliveryReport } from '../mail/delivery-report.js';

export interface BounceHookOptions {
  /** Any of them signs; empty: there is no hook. */
  secrets: readonly string[];
  clock: Clock;
  log: Log;
  judge(report: BounceReport): Promise<BounceVerdict>;
}

const MAX_BODY = 1024 * 1024;
/** How long a signature is good, either way, because clocks differ. */
const SIGNATURE_LIFETIME = 5 * MINUTE;
const SIGNATURE_HEADER = 'vestibule-signature';
const signaturePattern = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/;

const jsonReport = z.object({
  /** The mail's Message-ID, or the envelope sender it went out with. */
  messageId: z.string().max(1000),
  recipient: z.string().max(1000),
  /** As in RFC 3464 section 2.3.3; without it the status decides. */
  action: z.enum(['failed', 'delayed', 'delivered', 'relayed', 'expanded']).optional(),
  status: z.string().regex(/^[245]\.\d{1,3}\.\d{1,3}$/),
});

export async function registerBounceHook(server: FastifyInstance, options: BounceHookOptions): Promise<void> {
  if (options.secrets.length === 0) return;
  await server.register(async (hook) => {
    hook.removeAllContentTypeParsers();
    hook.addContentTypeParser(
      ['application/json', 'message/rfc822'],
      { parseAs: 'buffer', bodyLimit: MAX_BODY },
      (_request, body, done) => done(null, body),
    );
    hook.setErrorHandler((error, request, reply) => refuse(options.log, error, request, reply));
    hook.post('/mail/bounces', async (request) => {
      const body = request.body as Buffer;
      requireSignature(options, request.headers[SIGNATURE_HEADER], body);
      const report = await readReport(request.headers['content-type'] ?? '', body);
      return report ? options.judge(report) : { outcome: 'IGNORED', reason: 'It is no delivery report.' };
    });
  });
}

/** HMAC-SHA256 over `<t>.<body>`, `t` in Unix seconds. */
function requireSignature({ secrets, clock }: BounceHookOptions, header: unknown, body: Buffer): void {
  const [, seconds = '', given = ''] = (typeof header === 'string' && signaturePattern.exec(header)) || [];
  const isSigned = secrets.some((secret) => {
    const expected = createHmac('sha256', secret).update(`${seconds}.`).update(body).digest();
    return equalBytes(expected, Buffer.from(given, 'hex'));
  });
  const age = Math.abs(clock.now().getTime() - Number(seconds) * SECOND);
  if (!isSigned || age > SIGNATURE_LIFETIME) {
    throw new RequestError('UNAUTHENTICATED', {
      message: 'Sign the body: Vestibule-Signature: t=<Unix seconds>,v1=<HMAC-SHA256 of "<t>.<body>" in hexadecimal>.',
    });
  }
}

async function readReport(contentType: string, body: Buffer): Promise<BounceReport | null> {
  if (!contentType.startsWith('application/json')) return readDeliveryReport(body);
  const { messageId, recipient, action, status } = parseJson(body);
  const isFinal = action === undefined ? status.startsWith('5.') : action === 'failed';
  return {
    evidence: messageId,
    recipients: [{ addresses: [recipient], isFinal, status: findEnhancedStatus(status) }],
  };
}

function parseJson(body: Buffer): z.infer<typeof jsonReport> {
  try {
    return jsonReport.parse(JSON.parse(body.toString()));
  } catch {
    throw new RequestError('BAD_REQUEST', {
      message: 'Send {"messageId", "recipient", "status": "5.1.1"} and, if known, "action".',
    });
  }
}

function refuse(log: Log, error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const refusal = refusalOf(error);
  if (refusal.code === 'INTERNAL_SERVER_ERROR')
    log.error({ requestId: request.id, error: describeFault(error) }, 'a bounce could not be recorded');
  return reply
    .code(refusal.status)
    .send({ errors: [{ message: refusal.message, extensions: { code: refusal.code } }] });
}

function refusalOf(error: unknown): { status: number; code: string; message: string } {
  if (error instanceof RequestError)
    return { status: requestErrors[error.code].status, code: error.code, message: error.message };
  const { statusCode = 500 } = error as { statusCode?: number };
  if (statusCode >= 500) {
    const { status, text } = requestErrors.INTERNAL_SERVER_ERROR;
    return { status, code: 'INTERNAL_SERVER_ERROR', message: text };
  }
  // Too large, of another type, cut off: Fastify's own, by status.
  return { status: statusCode, code: 'BAD_REQUEST', message: requestErrors.BAD_REQUEST.text };
}
