/** Delivery reports in the shapes that mail servers write. */

export interface ReportFacts {
  /** Message-ID of the mail that came back, without angle brackets. */
  messageId: string;
  recipient: string;
  action?: string;
  status?: string;
  /** Where the report goes to: the envelope sender of the mail. */
  to?: string;
  /** What is said of the mail as a whole, besides its reporter. */
  envelopeId?: string | null;
  /** Type of the part that holds what came back; null: nothing does. */
  returned?: string | null;
}

/** As Postfix writes it. */
export function deliveryReport({
  messageId,
  recipient,
  action = 'failed',
  status = '5.1.1',
  to = 'no-reply@vestibule.example',
  envelopeId = null,
  returned = 'text/rfc822-headers',
}: ReportFacts): string {
  const boundary = '5F2A81C0D1.1763632800/mx.fabrikam.example';
  const lines = [
    'Return-Path: <>',
    'From: MAILER-DAEMON@mx.fabrikam.example (Mail Delivery System)',
    `To: ${to}`,
    'Subject: Undelivered Mail Returned to Sender',
    'Auto-Submitted: auto-replied',
    'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type=delivery-status;',
    `\tboundary="${boundary}"`,
    'Message-Id: <20261120100001.5F2A81C0D2@mx.fabrikam.example>',
    '',
    'This is a MIME-encapsulated message.',
    '',
    `--${boundary}`,
    'Content-Description: Notification',
    'Content-Type: text/plain; charset=us-ascii',
    '',
    `I'm sorry to have to inform you that your message could not be delivered.`,
    `<${recipient}>: host mx.fabrikam.example said: 550 5.1.1 unknown`,
    '',
    `--${boundary}`,
    'Content-Description: Delivery report',
    'Content-Type: message/delivery-status',
    '',
    'Reporting-MTA: dns; mx.fabrikam.example',
    ...(envelopeId ? [`Original-Envelope-Id: ${envelopeId}`] : []),
    'Arrival-Date: Fri, 20 Nov 2026 10:00:00 +0000 (UTC)',
    '',
    `Final-Recipient: rfc822; ${recipient}`,
    `Action: ${action}`,
    `Status: ${status}`,
    'Remote-MTA: dns; mx.fabrikam.example',
    `Diagnostic-Code: smtp; ${status} <${recipient}>: Recipient address`,
    '    rejected: User unknown in virtual mailbox table',
    '',
  ];
  const back = [
    `--${boundary}`,
    'Content-Description: Undelivered Message',
    `Content-Type: ${returned}`,
    '',
    'From: "Contoso via Vestibule" <no-reply@vestibule.example>',
    `To: ${recipient}`,
    `Message-ID: <${messageId}>`,
    '',
  ];
  return [...lines, ...(returned === null ? [] : back), `--${boundary}--`, ''].join('\r\n');
}
