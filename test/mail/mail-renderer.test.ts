import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { DAY, HOUR, later, MINUTE, SECOND } from '../../src/kernel/clock.js';
import { languages } from '../../src/kernel/languages.js';
import type { MailMessage } from '../../src/kernel/mail-message.js';
import { MailRenderer, type RenderedMail } from '../../src/mail/mail-renderer.js';
import { brand, everyMessage, invitation, invitationCopy, passcode, redeemUrl, referenceTime } from './messages.js';

let renderer: MailRenderer;
beforeAll(async () => {
  renderer = await MailRenderer.load(join(import.meta.dirname, '../../templates'));
});

/** What a reader of the HTML part sees, entities resolved. */
function visibleText(html: string): string {
  return html
    .replace(/<style>.*?<\/style>|<title>.*?<\/title>|<[^>]*>/gs, ' ')
    .replace(/&#x([0-9A-F]+);/gi, (_entity, code: string) => String.fromCodePoint(Number.parseInt(code, 16)))
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&nbsp;', ' ')
    .replaceAll('&amp;', '&')
    .replace(/\s+/g, ' ');
}

function expectInBothParts(mail: RenderedMail, fact: string) {
  expect(mail.text).toContain(fact);
  expect(visibleText(mail.html)).toContain(fact);
}

const all = languages.flatMap((language) =>
  everyMessage(language).map((message): [string, string, MailMessage] => [message.template, language, message]),
);

describe.each(all)('%s in %s', (_template, language, message) => {
  it('is whole: nothing undefined, no placeholder, no template syntax', () => {
    const { subject, text, html } = renderer.render(message);
    for (const part of [subject, text, html]) {
      expect(part).not.toMatch(/undefined|null|\[object|\{\{|\}\}|mail\.[a-z]/);
      expect(part.trim()).not.toBe('');
    }
  });

  it('has a subject of one line and an HTML part that names its language and works without images', () => {
    const { subject, html } = renderer.render(message);
    expect(subject).not.toMatch(/[\r\n]/);
    expect(html).toMatch(/^<!doctype html>\n/);
    expect(html).toContain(`<html lang="${language}">`);
    expect(html).toContain('<meta name="color-scheme" content="light dark">');
    expect(html).toContain('alt="Contoso"');
    expect(html).not.toMatch(/<(script|form|iframe|link|object)\b| on[a-z]+=|url\(/i);
  });

  it('has a readable text part without gaps or markup', () => {
    const { text } = renderer.render(message);
    expect(text).not.toMatch(/\n{3,}|<[a-z]|&[a-z#]/);
  });

  it('names the tenant and its support address in both parts', () => {
    const mail = renderer.render(message);
    expectInBothParts(mail, 'Contoso');
    expectInBothParts(mail, 'help@contoso.example');
  });
});

describe('an invitation', () => {
  it.each(languages)('tells the same facts in both parts (%s)', (language) => {
    const mail = renderer.render(invitation({ language }));
    for (const fact of ['Ada Lovelace', 'Kim Min-ji', 'Design Review', 'ada@fabrikam.example', redeemUrl]) {
      expectInBothParts(mail, fact);
    }
  });

  it('has one button, and its address to read below', () => {
    const { html } = renderer.render(invitation({ brand: { ...brand, privacyStatementUrl: null } }));
    expect(html.match(/<a href="[^"]*" class="button"/g)).toEqual([`<a href="${redeemUrl}" class="button"`]);
    expect(html.match(/<a /g)).toHaveLength(2);
    expect(html).toContain('/unsubscribe/');
    expect(html).toContain(`>${redeemUrl}</p>`);
  });

  it('asks to accept only what was expected, and says that no password is asked for', () => {
    expectInBothParts(renderer.render(invitation()), 'Accept only if you expected this invitation');
    expectInBothParts(renderer.render(invitation()), 'We never ask for your password by mail.');
    expectInBothParts(renderer.render(invitation({ language: 'ko' })), '메일로 비밀번호를 묻지 않습니다.');
  });

  it('links the privacy statement, or says that there is none', () => {
    const given = renderer.render(invitation());
    expect(given.html).toContain('href="https://contoso.example/privacy"');
    expect(given.text).toContain('https://contoso.example/privacy');
    const missing = renderer.render(invitation({ brand: { ...brand, privacyStatementUrl: null } }));
    expectInBothParts(missing, 'Contoso has not provided a privacy statement.');
  });

  it('reads well when everything optional is missing', () => {
    const bare = { ...brand, logo: null, supportEmail: null, privacyStatementUrl: null };
    const mail = renderer.render(
      invitation({ inviterName: null, guestName: null, message: null, appName: null, brand: bare }),
    );
    expect(mail.subject).toBe('You are invited to Contoso');
    expect(mail.text).toMatch(/^Hello,\n\nContoso invites you to work together as a guest\.\n\nAccept invitation:\n/);
    expect(mail.html).not.toContain('<img');
    expect(mail.html).not.toContain('Message from');
  });
});

describe('the expiry of an invitation', () => {
  const expiry = (milliseconds: number, language: 'en' | 'ko' = 'en') =>
    renderer.render(invitation({ language, expiresAt: later(referenceTime, milliseconds) })).text;

  it.each([
    [30 * DAY, 'This invitation expires on 20 December 2026, in 30 days.'],
    [30 * DAY - 5 * SECOND, 'This invitation expires on 20 December 2026, in 30 days.'],
    [2 * DAY, 'This invitation expires on 22 November 2026, in 2 days.'],
    [2 * DAY - SECOND, 'This invitation expires on 22 November 2026 at 11:59 UTC, in 48 hours.'],
    [DAY, 'This invitation expires on 21 November 2026 at 12:00 UTC, in 24 hours.'],
    [90 * MINUTE, 'This invitation expires on 20 November 2026 at 13:30 UTC, in 90 minutes.'],
    [1 * MINUTE, 'This invitation expires on 20 November 2026 at 12:01 UTC, in 1 minute.'],
  ])('%i ms ahead', (milliseconds, sentence) => {
    expect(expiry(milliseconds)).toContain(sentence);
  });

  it('is told in the words of the language', () => {
    expect(expiry(30 * DAY, 'ko')).toContain('이 초대는 2026년 12월 20일(30일 후)에 만료됩니다.');
    expect(expiry(5 * HOUR, 'ko')).toMatch(/2026년 11월 20일 .*5:00 UTC\(5시간 후\)에 만료됩니다/);
  });

  it('counts days that agree with the date, also around midnight', () => {
    const sentAt = new Date('2026-11-21T00:00:02Z');
    const { text } = renderer.render(invitation({ sentAt, expiresAt: new Date('2026-12-20T23:59:58Z') }));
    expect(text).toContain('20 December 2026, in 29 days');
  });
});

describe('a copy', () => {
  it.each(languages)('carries no link and says so (%s)', (language) => {
    const { text, html } = renderer.render(invitationCopy({ language }));
    expect(html).not.toMatch(/href|redeem/i);
    expect(text).not.toMatch(/https?:/i);
  });

  it('names whom the invitation went to', () => {
    expectInBothParts(renderer.render(invitationCopy()), 'Kim Min-ji invited ada@fabrikam.example');
  });
});

describe('a passcode mail', () => {
  it.each([
    ['en', 'It is valid for 10 minutes.', 'If you did not ask for this code'],
    ['ko', '이 코드는 10분 동안 유효합니다.', '코드를 요청하지 않았다면'],
  ] as const)('shows the code, how long it is valid and what to do if unasked (%s)', (language, validity, unasked) => {
    const mail = renderer.render(passcode({ language }));
    for (const fact of ['40718293', validity, unasked]) expectInBothParts(mail, fact);
    expect(mail.subject).not.toContain('40718293');
    expect(mail.html).not.toMatch(/href/i);
  });

  it('speaks of one minute in the singular', () => {
    expectInBothParts(renderer.render(passcode({ validForMinutes: 1 })), 'It is valid for 1 minute.');
  });
});

describe('what tenants and inviters wrote', () => {
  const hostile = [
    '<script>alert(1)</script>',
    '{{constructor}}',
    '{{{redeemUrl}}}',
    '{{t "mail.greeting"}}',
    '$t(mail.greetingWithoutName)',
    '{{#each this}}{{/each}}',
    '" onmouseover="alert(1)',
    '&lt;b&gt;',
    '__proto__',
  ];

  it.each(hostile)('is printed as it is, never as a template or HTML: %s', (text) => {
    const message = invitation({
      inviterName: text,
      guestName: text,
      appName: text,
      message: text,
      brand: { ...brand, tenantName: text },
    });
    const mail = renderer.render(message);
    expect(mail.subject).toBe(`${text} invited you to ${text}`);
    expectInBothParts(mail, `Hello ${text},`);
    expectInBothParts(mail, `${text} invites you to work with ${text} as a guest.`);
    expect(mail.text).toContain(`> ${text}`);
    expect(mail.html).not.toMatch(/<script|<b>|"\s*onmouseover="/);
  });

  it('keeps its lines, each marked as the words of the inviter', () => {
    const { text, html } = renderer.render(invitation({ message: 'One <b>\r\n\r\nTwo\u2028Accept invitation:\nFour' }));
    expect(text).toContain('Message from Kim Min-ji:\n\n> One <b>\n> \n> Two\n> Accept invitation:\n> Four\n');
    expect(html).toContain('One &lt;b&gt;<br><br>Two<br>Accept invitation:<br>Four');
  });

  it('cannot break the subject or reorder it', () => {
    const { subject } = renderer.render(invitation({ inviterName: 'Eve\r\nBcc: x@example.com\u202e', brand }));
    expect(subject).toBe('Eve Bcc: x@example.com invited you to Contoso');
  });

  it.each(['javascript:alert(1)', 'data:image/png;base64,AA', 'http://contoso.example/x', 'not a url'])(
    'is no address unless it is https: %s',
    (url) => {
      const { html, text } = renderer.render(invitation({ brand: { ...brand, logo: null, privacyStatementUrl: url } }));
      expect(html + text).not.toContain(url);
      expect(text).toContain('has not provided a privacy statement');
    },
  );

  it.each([
    ['#000000', '#ffffff'],
    ['#1d4ed8', '#ffffff'],
    ['#757575', '#ffffff'],
    ['#777777', '#000000'],
    ['#fef08a', '#000000'],
    ['#ffffff', '#000000'],
  ])('lets a button of %s be read in %s', (accentColor, textColor) => {
    const { html } = renderer.render(invitation({ brand: { ...brand, accentColor } }));
    expect(html).toContain(`color:${textColor}; background-color:${accentColor};`);
  });

  it.each(['red', '#fff', '#12345g', '#000000; background:url(//evil.example)'])(
    'is no colour unless it is #rrggbb: %s',
    (accentColor) => {
      const { html } = renderer.render(invitation({ brand: { ...brand, accentColor } }));
      expect(html).toContain('color:#ffffff; background-color:#1d4ed8;');
      expect(html).not.toContain('evil');
    },
  );
});
