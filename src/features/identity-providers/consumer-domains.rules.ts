/**
 * Domains where anybody gets a mailbox (pure). For those of a provider with a preset, that provider hosts the mailbox and is
 * the authority for it.
 */
export const googleDomains: readonly string[] = ['gmail.com', 'googlemail.com'];

/** Of Microsoft accounts; Outlook.com lets new mailboxes choose outlook.com, hotmail.com and names per country. */
export const microsoftDomains: readonly string[] = [
  'outlook.com',
  'hotmail.com',
  'live.com',
  'msn.com',
  'passport.com',
  'windowslive.com',
];

const others: readonly string[] = [
  'aol.com',
  'daum.net',
  'fastmail.com',
  'gmx.com',
  'gmx.de',
  'gmx.net',
  'hanmail.net',
  'icloud.com',
  'kakao.com',
  'mac.com',
  'mail.com',
  'mail.ru',
  'me.com',
  'nate.com',
  'naver.com',
  'proton.me',
  'protonmail.com',
  'qq.com',
  'web.de',
  'yahoo.co.jp',
  'yahoo.com',
  'yandex.ru',
  '163.com',
  '126.com',
];

const consumerDomains = new Set([...googleDomains, ...microsoftDomains, ...others]);

/** The large ones; a small provider's domain is not known to be one. @param domain ASCII form, lower case. */
export function isConsumerDomain(domain: string): boolean {
  return consumerDomains.has(domain);
}
