/** Reads what the mail server got: invitations for guests, and their passcodes. */
import type { ReceivedMail, TestSmtpServer } from '../support/smtp-server.js';

export interface InvitationMail {
  address: string;
  /** On the balancer. */
  redeemUrl: string;
}

export interface Arrival {
  messageId: string;
  address: string;
  isInvitation: boolean;
  /** By `Date.now()`. */
  at: number;
}

export class Mailbox {
  /** Every mail once for each time it came. */
  readonly arrivals: Arrival[] = [];
  readonly #passcodes = new Map<string, string[]>();
  readonly #invitations: InvitationMail[] = [];
  readonly #smtp: TestSmtpServer;

  constructor(smtp: TestSmtpServer) {
    this.#smtp = smtp;
  }

  /** Takes out what came since: a long run has more mail than memory. To be called often, because it notes the time. */
  read(): void {
    for (const received of this.#smtp.received.splice(0)) this.#take(received);
  }

  /** The newest invitation nobody has taken yet, so that guests are not all of the first batch. */
  takeInvitation(): InvitationMail | undefined {
    this.read();
    return this.#invitations.pop();
  }

  passcodesTo(address: string): readonly string[] {
    this.read();
    return this.#passcodes.get(address) ?? [];
  }

  #take({ envelope, mail }: ReceivedMail): void {
    const address = envelope.to[0] ?? '';
    const text = mail.text ?? '';
    const passcode = /^\s*(\d{8})\s*$/m.exec(text)?.[1];
    const redeemUrl = /^(http:\S+)$/m.exec(text)?.[1];
    const isInvitation = redeemUrl !== undefined;
    this.arrivals.push({ messageId: mail.messageId ?? '', address, isInvitation, at: Date.now() });
    if (passcode) this.#passcodes.set(address, [...(this.#passcodes.get(address) ?? []), passcode]);
    else if (redeemUrl) this.#invitations.push({ address, redeemUrl });
  }
}
