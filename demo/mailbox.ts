/** What a guest finds in the mail: reads the development mailbox as a program would, by its JSON. */
import { parse } from 'node-html-parser';
import { until } from './deadline.js';

export interface Mail {
  id: string;
  subject: string;
  to: { address: string }[];
  html: string;
  text: string;
}

const DELIVERY_SECONDS = 30;

export class Mailbox {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  async mails(): Promise<Mail[]> {
    return (await (await fetch(`${this.url}/email`)).json()) as Mail[];
  }

  /** The link of the invitation. */
  linkTo(address: string): Promise<string> {
    return this.#find(address, 'an invitation', redeemLink);
  }

  /** A one-time code. */
  passcodeTo(address: string): Promise<string> {
    return this.#find(address, 'a passcode', ({ text }) => /^\s*(\d{8})\s*$/m.exec(text)?.[1]);
  }

  /** Where a person reads the mail with the invitation. */
  pageOfInvitationTo(address: string): Promise<string> {
    return this.#find(address, 'an invitation', (mail) => redeemLink(mail) && `${this.url}/#/email/${mail.id}`);
  }

  #find(address: string, what: string, look: (mail: Mail) => string | undefined): Promise<string> {
    return until(DELIVERY_SECONDS, `${what} for ${address}`, async () => {
      const mails = await this.mails();
      return mails
        .filter(({ to }) => to.some((recipient) => recipient.address === address))
        .map(look)
        .find(Boolean);
    });
  }
}

function redeemLink({ html }: Mail): string | undefined {
  const links = parse(html).querySelectorAll('a[href]');
  return links
    .map((link) => link.getAttribute('href') as string)
    .find((url) => new URL(url).pathname.startsWith('/redeem/'));
}
