/**
 * Delivery status notifications (RFC 3464) as mail servers send them back. Only the machine-readable part counts: what is
 * written for people differs from server to server and proves nothing.
 */
import PostalMime, { type Email } from 'postal-mime';
import type { BouncedRecipient, BounceReport } from '../kernel/bounce-report.js';
import { findEnhancedStatus } from '../kernel/mail-status.js';

type Fields = ReadonlyMap<string, string>;

const REPORT_TYPE = 'message/delivery-status';
/** The head of the mail that came back, or the whole of it; the global forms are those of RFC 6533. */
const partTypes = new Set([
  REPORT_TYPE,
  'message/global-delivery-status',
  'text/rfc822-headers',
  'message/rfc822',
  'message/global',
  'message/global-headers',
]);

/** @returns null when the mail is no such report: a letter, an automatic answer, a read receipt, something unreadable. */
export async function readDeliveryReport(raw: Uint8Array): Promise<BounceReport | null> {
  const mail = await parse(raw);
  if (!mail) return null;
  const parts = mail.attachments.filter(({ mimeType }) => partTypes.has(mimeType.toLowerCase()));
  const reports = parts.filter(({ mimeType }) => mimeType.toLowerCase().endsWith('delivery-status'));
  if (reports.length === 0) return null;
  return {
    evidence: [...headerValues(mail), ...parts.map(({ content }) => String(content))].join('\n'),
    recipients: reports.flatMap(({ content }) => recipientsOf(String(content))),
  };
}

async function parse(raw: Uint8Array): Promise<Email | null> {
  try {
    return await PostalMime.parse(raw, { forceRfc822Attachments: true, attachmentEncoding: 'utf8' });
  } catch {
    // Nested too deeply, or with a head of megabytes: no mail server writes such a report.
    return null;
  }
}

/** Whom the report was sent to is there under several names: To, Delivered-To, X-Original-To. */
function headerValues({ headers }: Email): string[] {
  return headers.map(({ value }) => value);
}

/** The first block is about the message as a whole, each further one about a recipient (RFC 3464 section 2.1). */
function recipientsOf(report: string): BouncedRecipient[] {
  const [, ...blocks] = report
    .replaceAll('\r\n', '\n')
    .trim()
    .split(/\n(?:[ \t]*\n)+/);
  return blocks.map(readFields).map((fields) => ({
    addresses: [fields.get('final-recipient'), fields.get('original-recipient')].flatMap(addressOf),
    isFinal: fields.get('action')?.toLowerCase() === 'failed',
    status: findEnhancedStatus(fields.get('status') ?? ''),
  }));
}

function readFields(block: string): Fields {
  const unfolded = block.replace(/\n[ \t]+/g, ' ');
  const fields = unfolded.split('\n').map((line) => /^([!-9;-~]+):[ \t]*(.*)$/.exec(line));
  return new Map(fields.flatMap((field) => (field ? [[field[1]?.toLowerCase() ?? '', field[2]?.trim() ?? '']] : [])));
}

/** `rfc822; ada@fabrikam.example` */
function addressOf(field: string | undefined): string[] {
  const address = field
    ?.split(';')
    .at(-1)
    ?.trim()
    .replace(/^<(.*)>$/, '$1');
  return address ? [address] : [];
}
