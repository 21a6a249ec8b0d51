import { describe, expect, it } from '@jest/globals';
import { readDeliveryReport } from '../../src/mail/delivery-report.js';
import { deliveryReport } from './delivery-reports.js';

const facts = { messageId: 'inv_x.1.abc@guests.example.com', recipient: 'ada@fabrikam.example' };
const read = (raw: string) => readDeliveryReport(Buffer.from(raw));

describe('a delivery report', () => {
  it('says which address failed for good, and why', async () => {
    const report = await read(deliveryReport(facts));
    expect(report?.recipients).toEqual([{ addresses: ['ada@fabrikam.example'], isFinal: true, status: '5.1.1' }]);
  });

  it.each(['text/rfc822-headers', 'message/rfc822', 'message/global-headers'])(
    'holds the key of the mail in what came back as %s',
    async (returned) => {
      expect((await read(deliveryReport({ ...facts, returned })))?.evidence).toContain(facts.messageId);
    },
  );

  it('holds it in the address it was sent to, or the envelope id, when nothing came back', async () => {
    const to = 'bounces+inv_x.1.abc@vestibule.example';
    expect((await read(deliveryReport({ ...facts, to, returned: null })))?.evidence).toContain(to);
    const envelopeId = 'inv_x.1.abc';
    expect((await read(deliveryReport({ ...facts, envelopeId, returned: null })))?.evidence).toContain(envelopeId);
  });

  it.each(['delayed', 'delivered', 'relayed', 'expanded'])('that says %s is not final', async (action) => {
    const report = await read(deliveryReport({ ...facts, action, status: '4.4.1' }));
    expect(report?.recipients).toMatchObject([{ isFinal: false, status: '4.4.1' }]);
  });

  it('is final when its server gave up, though it only ever failed for the time being', async () => {
    const report = await read(deliveryReport({ ...facts, action: 'Failed', status: '4.4.7' }));
    expect(report?.recipients).toMatchObject([{ isFinal: true, status: '4.4.7' }]);
  });

  it('names each recipient, the original one beside the final one', async () => {
    const raw = deliveryReport(facts).replace(
      'Final-Recipient: rfc822; ada@fabrikam.example',
      [
        'Final-Recipient: RFC822;\r\n <someone@elsewhere.example>',
        'Original-Recipient: rfc822;ada@fabrikam.example',
        'Action: delivered',
        'Status: 2.0.0',
        '',
        'Final-Recipient: utf-8; päivi@bücher.example',
      ].join('\r\n'),
    );
    expect((await read(raw))?.recipients).toEqual([
      { addresses: ['someone@elsewhere.example', 'ada@fabrikam.example'], isFinal: false, status: '2.0.0' },
      { addresses: ['päivi@bücher.example'], isFinal: true, status: '5.1.1' },
    ]);
  });

  it('is believed by its machine-readable part alone', async () => {
    expect(await read(`From: a@b.example\r\nSubject: Undelivered\r\n\r\nStatus: 5.1.1\r\nAction: failed`)).toBeNull();
    expect(await read('')).toBeNull();
    expect(await read('\0\r\n\r\n--')).toBeNull();
  });
});
