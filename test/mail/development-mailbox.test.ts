import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { silentLog } from '../../src/kernel/log.js';
import { startDevelopmentMailbox } from '../../src/mail/development-mailbox.js';
import { MailRenderer } from '../../src/mail/mail-renderer.js';
import { createSmtpTransport } from '../../src/mail/mail-transport.js';
import { invitation, redeemUrl } from './messages.js';

const freePorts = { smtpPort: 0, webPort: 0, log: silentLog };

it('shows a mail that was sent to it, as JSON at /email', async () => {
  const mailbox = await startDevelopmentMailbox(freePorts);
  const renderer = await MailRenderer.load(join(import.meta.dirname, '../../templates'));
  const transport = createSmtpTransport({
    smtpUrl: mailbox.smtpUrl,
    from: 'invitations@localhost',
    publicHost: 'localhost',
    maxConnections: 1,
  });
  const message = invitation({ language: 'ko' });
  await transport.send(message, renderer.render(message));
  transport.close();

  const response = await fetch(`${mailbox.webUrl}/email`);
  const mails = (await response.json()) as { subject: string; text: string; to: { address: string }[] }[];
  expect(mails).toHaveLength(1);
  expect(mails[0]).toMatchObject({
    subject: 'Kim Min-ji 님이 회원님을 Contoso에 초대했습니다',
    to: [{ address: 'ada@fabrikam.example' }],
  });
  expect(mails[0]?.text).toContain(redeemUrl);
  await mailbox.stop();
});

it('listens on loopback only, leaves signals alone, and starts empty after a stop', async () => {
  const handlers = process.listenerCount('SIGTERM') + process.listenerCount('SIGINT');
  const mailbox = await startDevelopmentMailbox(freePorts);
  expect(mailbox.smtpUrl).toMatch(/^smtp:\/\/127\.0\.0\.1:\d+$/);
  expect(mailbox.webUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  expect(process.listenerCount('SIGTERM') + process.listenerCount('SIGINT')).toBe(handlers);
  expect(await (await fetch(`${mailbox.webUrl}/email`)).json()).toEqual([]);
  await mailbox.stop();
  await expect(fetch(mailbox.webUrl)).rejects.toThrow();
});

it.each(['smtpPort', 'webPort'] as const)('fails to start when its %s is taken, and frees the other', async (port) => {
  const occupant = createServer().listen(0, '127.0.0.1');
  await once(occupant, 'listening');
  const taken = (occupant.address() as AddressInfo).port;
  await expect(startDevelopmentMailbox({ ...freePorts, [port]: taken })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  occupant.close();
  const mailbox = await startDevelopmentMailbox(freePorts);
  await mailbox.stop();
});
