import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { MailMessage } from '../../src/kernel/mail-message.js';
import { PermanentMailError, TemporaryMailError } from '../../src/mail/mail-errors.js';
import { MailRenderer } from '../../src/mail/mail-renderer.js';
import { createSmtpTransport, type MailTransport } from '../../src/mail/mail-transport.js';
import { refusal, startSmtpServer, type TestSmtpServer } from '../support/smtp-server.js';
import { brand, invitation, invitationCopy, redeemUrl } from './messages.js';

let renderer: MailRenderer;
let server: TestSmtpServer;
let transport: MailTransport;

beforeAll(async () => {
  renderer = await MailRenderer.load(join(import.meta.dirname, '../../templates'));
});

afterEach(async () => {
  transport.close();
  await server.stop();
});

async function connect(options: Parameters<typeof startSmtpServer>[0] = {}, query = '') {
  server = await startSmtpServer(options);
  transport = createSmtpTransport({
    smtpUrl: `${server.url}/${query}`,
    from: 'Example Gateway <invitations@gateway.example>',
    publicHost: 'guests.example.com',
    maxConnections: 2,
  });
}

function send(message: MailMessage): Promise<void> {
  return transport.send(message, renderer.render(message));
}

async function only() {
  const [first, ...others] = server.received;
  expect(others).toEqual([]);
  if (!first) throw new Error('No mail arrived.');
  return first;
}

function header(mail: { headers: { key: string; value: string }[] }, key: string): string | undefined {
  return mail.headers.find((candidate) => candidate.key === key)?.value;
}

describe('a mail on its way', () => {
  it('goes from the sender to one recipient, in envelope and headers alike', async () => {
    await connect();
    await send(invitation());
    const { envelope, mail } = await only();
    expect(envelope).toMatchObject({ from: 'invitations@gateway.example', to: ['ada@fabrikam.example'] });
    expect(mail.from).toMatchObject({ name: 'Contoso via Example Gateway', address: 'invitations@gateway.example' });
    expect(mail.to).toMatchObject([{ name: 'Ada Lovelace', address: 'ada@fabrikam.example' }]);
    expect(mail.replyTo).toMatchObject([{ address: 'help@contoso.example' }]);
    expect(mail.cc ?? []).toEqual([]);
  });

  it('says that no human wrote it, in which language it is, and which message it is', async () => {
    await connect();
    await send(invitation({ language: 'ko' }));
    const { mail } = await only();
    expect(mail.messageId).toBe('<inv_01hzy8.1.ada@guests.example.com>');
    expect(header(mail, 'auto-submitted')).toBe('auto-generated');
    expect(header(mail, 'x-auto-response-suppress')).toBe('All');
    expect(header(mail, 'content-language')).toBe('ko');
    expect(Number.isNaN(Date.parse(mail.date ?? ''))).toBe(false);
  });

  it('carries a text and an HTML part that survive the journey', async () => {
    await connect();
    const message = invitation({ language: 'ko' });
    await send(message);
    const { mail, raw } = await only();
    expect(raw).toMatch(/^Content-Type: multipart\/alternative/m);
    expect(mail.subject).toBe('Kim Min-ji 님이 회원님을 Contoso에 초대했습니다');
    // Lines of a text end in CRLF on the way (RFC 2045 section 6.8).
    expect(mail.text?.replaceAll('\r\n', '\n').trim()).toBe(renderer.render(message).text.trim());
    expect(mail.text).toContain(redeemUrl);
    expect(mail.html).toContain('<html lang="ko">');
  });

  it('has no Reply-To when the tenant has no support address', async () => {
    await connect();
    await send(invitation({ replyTo: null }));
    expect((await only()).mail.replyTo).toBeUndefined();
  });

  it('never has a Cc header, and a copy holds no link', async () => {
    await connect();
    await send(invitationCopy());
    const { raw, mail } = await only();
    expect(raw).not.toMatch(/^cc:/im);
    expect(mail.text).not.toMatch(/https?:/);
    expect(mail.html).not.toMatch(/href/i);
  });

  it('does not let names add headers or recipients', async () => {
    await connect();
    const name = 'Eve\r\nBcc: victim@example.com, "x" <victim@example.com>';
    await send(
      invitation({
        to: { name, address: 'ada@fabrikam.example' },
        brand: { ...brand, tenantName: name },
        inviterName: name,
      }),
    );
    const { envelope, raw, mail } = await only();
    expect(envelope.to).toEqual(['ada@fabrikam.example']);
    expect(raw.split('\r\n\r\n')[0]).not.toMatch(/^bcc:/im);
    expect(mail.to).toMatchObject([{ name: '', address: 'ada@fabrikam.example' }]);
  });

  it.each(['contoso.example', 'https://evil.example', 'ceo@contoso.example', 'Visit www.evil.example now'])(
    'does not put a name that reads like an address before ours: %s',
    async (tenantName) => {
      await connect();
      await send(invitation({ brand: { ...brand, tenantName } }));
      expect((await only()).mail.from?.name).toBe('Example Gateway');
    },
  );

  it('reaches internationalised addresses: the domain in ASCII, the local part by SMTPUTF8', async () => {
    await connect();
    await send(invitation({ to: { name: null, address: 'päivi@bücher.example' } }));
    const { envelope } = await only();
    expect(envelope).toMatchObject({ to: ['päivi@bücher.example'], smtpUtf8: true });
  });

  it('keeps its connection for the next mail, past the hundredth', async () => {
    await connect();
    const message = invitation();
    const rendered = renderer.render(message);
    for (let mail = 0; mail < 105; mail++) await transport.send(message, rendered);
    expect(server.received).toHaveLength(105);
    expect(server.connections()).toBe(1);
  });

  it('opens at most as many connections as configured', async () => {
    await connect();
    await Promise.all(Array.from({ length: 12 }, () => send(invitation())));
    expect(server.received).toHaveLength(12);
    expect(server.connections()).toBe(2);
  });
});

describe('a refusal', () => {
  it('of the address by 5xx is permanent and told in our words', async () => {
    await connect({
      onRcptTo: (_address, _session, done) =>
        done(refusal(550, '5.1.1 no such\u202e user <ada@fabrikam.example> - see https://mail.example/why?token=1')),
    });
    const error = await send(invitation()).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(PermanentMailError);
    expect(error).toMatchObject({
      reason: 'The mail server refused the address: the address does not exist (550 5.1.1).',
    });
    expect((error as PermanentMailError).detail).toBe('550 5.1.1 no such user [address] - see [link]');
  });

  it('of the message by 5xx is permanent', async () => {
    await connect({
      onData: (stream, _session, done) => stream.resume().on('end', () => done(refusal(554, 'no'.repeat(300)))),
    });
    const error = await send(invitation()).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(PermanentMailError);
    expect(error).toMatchObject({ reason: 'The mail server refused the message (554).' });
    expect((error as PermanentMailError).detail).toHaveLength(200);
  });

  it.each([
    ['of the address by 4xx', { onRcptTo: (_a, _s, done) => done(refusal(450, '4.2.1 greylisted')) }],
    [
      'of the message by 4xx',
      { onData: (stream, _s, done) => stream.resume().on('end', () => done(refusal(451, 'later'))) },
    ],
    ['of our own sender', { onMailFrom: (_a, _s, done) => done(refusal(550, 'who are you')) }],
    ['at the address for want of a sign-in', { onRcptTo: (_a, _s, done) => done(refusal(530, '5.7.0 sign in first')) }],
    ['at the greeting', { onConnect: (_s, done) => done(refusal(554, 'go away')) }],
  ] satisfies [string, Parameters<typeof startSmtpServer>[0]][])('%s is temporary', async (_what, options) => {
    await connect(options);
    await expect(send(invitation())).rejects.toBeInstanceOf(TemporaryMailError);
  });

  it('does not keep the next mail from going', async () => {
    await connect({
      onRcptTo: (address, _session, done) => done(address.address.startsWith('gone') ? refusal(550, 'gone') : null),
    });
    await expect(send(invitation({ to: { name: null, address: 'gone@fabrikam.example' } }))).rejects.toThrow(
      PermanentMailError,
    );
    await send(invitation());
    expect(server.received).toHaveLength(1);
  });

  it('of our sign-in is temporary: the recipient cannot help it', async () => {
    await connect({
      authOptional: false,
      allowInsecureAuth: true,
      onAuth: (_auth, _session, done) => done(refusal(535, '5.7.8 wrong')),
    });
    const smtpUrl = server.url.replace('//', '//user:wrong@');
    const signedIn = createSmtpTransport({
      smtpUrl,
      from: 'a@gateway.example',
      publicHost: 'localhost',
      maxConnections: 1,
    });
    const message = invitation();
    await expect(signedIn.send(message, renderer.render(message))).rejects.toMatchObject({
      name: 'TemporaryMailError',
      reason: 'The mail server did not accept our sign-in.',
    });
    signedIn.close();
  });
});

describe('a server in trouble', () => {
  it('that is not there is temporary', async () => {
    await connect();
    await server.stop();
    await expect(send(invitation())).rejects.toMatchObject({
      name: 'TemporaryMailError',
      reason: 'The mail server could not be reached.',
    });
  });

  it('that never greets is given up on', async () => {
    await connect({ onConnect: () => {} }, '?greetingTimeout=100');
    await expect(send(invitation())).rejects.toMatchObject({
      name: 'TemporaryMailError',
      reason: 'The mail server did not answer in time.',
    });
  });

  it('that takes the message and never answers is given up on', async () => {
    await connect({ onData: (stream) => stream.resume() }, '?socketTimeout=100');
    await expect(send(invitation())).rejects.toMatchObject({
      name: 'TemporaryMailError',
      reason: 'The mail server did not answer in time.',
    });
  });

  it('that hangs up in the middle of the message is temporary', async () => {
    await connect({ onData: (stream) => stream.once('data', () => server.dropConnections()) });
    await expect(send(invitation())).rejects.toMatchObject({ name: 'TemporaryMailError' });
    expect(server.connections()).toBe(1);
  });

  it('that dropped an idle connection does not cost the next mail', async () => {
    await connect();
    await send(invitation());
    server.dropConnections();
    await send(invitation());
    expect(server.received).toHaveLength(2);
  });
});
