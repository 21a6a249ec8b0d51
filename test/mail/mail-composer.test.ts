import { describe, expect, it } from '@jest/globals';
import PostalMime from 'postal-mime';
import type { MailMessage } from '../../src/kernel/mail-message.js';
import { composeMail } from '../../src/mail/mail-composer.js';
import { brand, invitation } from './messages.js';

const sender = { name: 'Example', address: 'invitations@gateway.example' };
const withoutLogo = { ...brand, logo: null };

function compose(text: string, message: MailMessage = invitation({ brand: withoutLogo })): string {
  return composeMail(message, { subject: 'Hello', text, html: `<p>${text}</p>` }, sender, '<key@host>').toString();
}

async function read(raw: string): Promise<string> {
  return ((await PostalMime.parse(raw)).text ?? '').replaceAll('\r\n', '\n').replace(/\n$/, '');
}

const texts = {
  plain: 'Hello Ada,\n\nsee you on Monday.',
  'with accents': 'Bücher, naïve – “quoted” …',
  Korean: '안녕하세요, 함께 일하게 되어 기쁩니다.\n월요일에 만나요!',
  'with dots and dashes at the beginning of lines': '.\n..\n.dot\n--\n--=_x\nFrom here',
  'with blanks at the end of lines': 'one  \ntwo\t\nthree',
  'with a line longer than mail allows': `${'x'.repeat(5000)}\nshort`,
  'with equals signs and a very long link': `a=b ==3D https://guests.example.com/${'é='.repeat(300)}`,
};

describe('a text', () => {
  it.each(Object.entries(texts))('%s arrives as it was written', async (_what, text) => {
    expect(await read(compose(text))).toBe(text);
  });

  it.each(Object.entries(texts))('%s keeps to the length of a line and to printable ASCII', (_what, text) => {
    for (const line of compose(text).split('\r\n')) {
      expect(line.length).toBeLessThanOrEqual(998);
      expect(line).toMatch(/^[\t\x20-\x7e]*$/);
    }
  });

  it('cannot end its part: nobody knows the boundary of a mail before it is made', () => {
    const boundary = (raw: string) => /boundary="([^"]+)"/.exec(raw)?.[1];
    const [first, second] = [compose('one'), compose('one')].map(boundary);
    expect(first).toMatch(/^=_[0-9a-f-]{36}$/);
    expect(second).not.toBe(first);
  });

  it('of a megabyte takes no longer than it should', () => {
    const began = performance.now();
    compose('x'.repeat(1024 * 1024));
    compose(`${'x'.repeat(900)}\n`.repeat(1000));
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});

describe('a logo', () => {
  it('travels inside, beside the HTML that shows it', async () => {
    const image = Buffer.from(Array.from({ length: 1000 }, (_, n) => n % 256));
    const logo = { contentType: 'image/png', image };
    const raw = compose('Hello', invitation({ brand: { ...brand, logo } }));
    const { attachments, html } = await PostalMime.parse(raw);
    expect(html).toContain('Hello');
    expect(attachments).toMatchObject([
      { mimeType: 'image/png', contentId: '<tenant-logo>', disposition: 'inline', related: true },
    ]);
    expect(Buffer.from(attachments[0]?.content as ArrayBuffer)).toEqual(image);
  });
});
