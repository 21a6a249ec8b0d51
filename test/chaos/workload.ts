/**
 * Administrators, scripts and guests at work. Each keeps at a thing until it is told how it went, and writes down what it was
 * told: that, and no more, must be there in the end.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { GuestBrowser, type WebPage } from '../web/guest-browser.js';
import { type Clients, type Data, GaveUp } from './clients.js';
import type { InvitationMail, Mailbox } from './mailbox.js';
import type { Random } from './random.js';

export interface Journal {
  /** Answered as made, by invitation id. */
  invited: Map<string, { email: string; sendMail: boolean }>;
  /** Answered as taken, by bulk invite id. */
  bulkInvites: Map<string, { rows: number; bad: number }>;
  /** Ids answered as revoked; links sent anew, by invitation id; addresses told that they are guests now. */
  revoked: Set<string>;
  resent: Map<string, number>;
  redeemed: Set<string>;
  declined: Set<string>;
  /** What nobody should have been told. */
  surprises: string[];
}

export interface WorkloadOptions {
  clients: Clients;
  mailbox: Mailbox;
  random: Random;
  tenantIds: readonly string[];
  /** By tenant. */
  grants: ReadonlyMap<string, { appId: string; groupId: string }>;
  rowsPerBulkInvite: { least: number; most: number };
  /** Which share of them is uploaded as a file. */
  uploads: number;
}

export interface Workload {
  journal: Journal;
  /** Begins nothing new; resolves when everybody knows how their last thing went. */
  stop(): Promise<void>;
}

const GUESTS_AT_ONCE = 3;
const DOMAIN = 'fabrikam.example';
/** Invited by everybody again and again, to see who wins. */
const CONTENDED = 5;
const PASSCODE_PATIENCE_MILLISECONDS = 15_000;
const ATTEMPTS_OF_A_GUEST = 6;

export function startWorkload(options: WorkloadOptions): Workload {
  const journal: Journal = {
    invited: new Map(),
    bulkInvites: new Map(),
    revoked: new Set(),
    resent: new Map(),
    redeemed: new Set(),
    declined: new Set(),
    surprises: [],
  };
  const stopping = new AbortController();
  const people = new People(options, journal);
  const repeat = async (least: number, most: number, doing: () => Promise<void>) => {
    while (!stopping.signal.aborted) {
      await doing().catch((error: Error) => {
        if (!(error instanceof GaveUp)) journal.surprises.push(error.message);
      });
      await wait(options.random.between(least, most), undefined, stopping).catch(() => undefined);
    }
  };
  const busy = [
    repeat(20, 400, () => people.invite()),
    repeat(1000, 6000, () => people.bulkInvite()),
    repeat(300, 1500, () => people.resend()),
    repeat(500, 2500, () => people.revoke()),
    ...Array.from({ length: GUESTS_AT_ONCE }, () => repeat(20, 300, () => people.beGuest(stopping.signal))),
  ];
  return {
    journal,
    async stop() {
      stopping.abort();
      await Promise.all(busy);
    },
  };
}

class People {
  readonly #options: WorkloadOptions;
  readonly #journal: Journal;
  #made = 0;

  constructor(options: WorkloadOptions, journal: Journal) {
    this.#options = options;
    this.#journal = journal;
  }

  async invite(): Promise<void> {
    const { clients, random } = this.#options;
    const tenantId = random.pick(this.#options.tenantIds);
    const number = ++this.#made;
    const contended = random.chance(0.05);
    const email = contended ? this.#contendedAddress() : `single${number}@${DOMAIN}`;
    const sendMail = random.chance(0.8);
    const input = { tenantId, email, sendMail, ...this.#grants(tenantId), idempotencyKey: `invite-${number}` };
    const { inviteUser } = await clients.ask(
      'mutation ($input: InviteUserInput!) { inviteUser(input: $input) { invitation { id email } userErrors { code } } }',
      { input },
    );
    if (contended && this.#isOnly(inviteUser, 'ALREADY_INVITED', 'ALREADY_MEMBER', 'RATE_LIMITED')) return;
    if (this.#isRefused('inviteUser', inviteUser)) return;
    this.#journal.invited.set(inviteUser.invitation.id, { email, sendMail });
  }

  async bulkInvite(): Promise<void> {
    const { clients, random, rowsPerBulkInvite } = this.#options;
    const tenantId = random.pick(this.#options.tenantIds);
    const number = ++this.#made;
    const rows = Math.floor(random.between(rowsPerBulkInvite.least, rowsPerBulkInvite.most));
    const addresses = Array.from({ length: rows }, (_, index) => `bulk${number}-${index}@${DOMAIN}`);
    const bad = ['nobody', `bulk${number}-0@${DOMAIN}`];
    const csv = ['email', ...addresses, ...bad, this.#contendedAddress()].join('\n');
    const sendMail = random.chance(0.3);
    const grants = this.#grants(tenantId);
    const idempotencyKey = `bulk-${number}`;
    const id = random.chance(this.#options.uploads)
      ? await clients.upload({ tenantId, idempotencyKey, sendMail: String(sendMail), ...idsOf(grants) }, csv)
      : await this.#bulkInvite({ tenantId, csv, defaults: { sendMail, ...grants }, idempotencyKey });
    if (id) this.#journal.bulkInvites.set(id, { rows: rows + bad.length + 1, bad: bad.length });
  }

  async #bulkInvite(input: object): Promise<string | null> {
    const { bulkInvite } = await this.#options.clients.ask(
      'mutation ($input: BulkInviteInput!) { bulkInvite(input: $input) { bulkInvite { id } userErrors { code } } }',
      { input },
    );
    return this.#isRefused('bulkInvite', bulkInvite) ? null : bulkInvite.bulkInvite.id;
  }

  async resend(): Promise<void> {
    const invitationId = this.#anyInvitation(({ sendMail }) => sendMail);
    if (!invitationId) return;
    const { resendInvitation } = await this.#change('resendInvitation', invitationId);
    if (this.#isOnly(resendInvitation, 'REVOKED', 'ALREADY_REDEEMED', 'DECLINED', 'RATE_LIMITED')) return;
    if (this.#isRefused('resendInvitation', resendInvitation)) return;
    this.#journal.resent.set(invitationId, (this.#journal.resent.get(invitationId) ?? 0) + 1);
  }

  async revoke(): Promise<void> {
    const invitationId = this.#anyInvitation(({ email }) => !email.startsWith('contended'));
    if (!invitationId) return;
    const { revokeInvitation } = await this.#change('revokeInvitation', invitationId);
    // Told REVOKED: the answer to our first attempt was lost.
    const isRevoked = this.#isOnly(revokeInvitation, 'REVOKED') || revokeInvitation.userErrors.length === 0;
    if (isRevoked) this.#journal.revoked.add(invitationId);
    else if (!this.#isOnly(revokeInvitation, 'ALREADY_REDEEMED', 'DECLINED')) {
      this.#isRefused('revokeInvitation', revokeInvitation);
    }
  }

  /** Takes an invitation out of the mail and follows it to its end. */
  async beGuest(signal: AbortSignal): Promise<void> {
    const { mailbox, random } = this.#options;
    const mail = mailbox.takeInvitation();
    if (!mail) return;
    const road = random.chance(0.5) ? 'GraphQL' : 'pages';
    const isWilling = random.chance(0.9);
    for (let attempt = 1; attempt <= ATTEMPTS_OF_A_GUEST && !signal.aborted; attempt++) {
      const outcome = await (road === 'GraphQL' ? this.#byGraphql(mail, isWilling, signal) : this.#byPages(mail));
      if (outcome !== 'again') return;
    }
  }

  async #byGraphql(mail: InvitationMail, isWilling: boolean, signal: AbortSignal): Promise<'over' | 'again'> {
    const begun = await this.#guestAsks('beginRedemption', 'BeginRedemptionInput', {
      token: mail.redeemUrl.split('/').at(-1),
    });
    if (!begun.redemption) return this.#guestGivesUp('beginRedemption', begun);
    const { id: redemptionId, consentVersion } = begun.redemption;
    if (!isWilling) {
      const declined = await this.#guestAsks('declineInvitation', 'RedemptionIdInput', { redemptionId });
      if (declined.redemption?.status !== 'DECLINED') return this.#guestGivesUp('declineInvitation', declined);
      this.#journal.declined.add(mail.address);
      return 'over';
    }
    const earlier = this.#options.mailbox.passcodesTo(mail.address).length;
    const sent = await this.#guestAsks('sendRedemptionPasscode', 'RedemptionIdInput', { redemptionId });
    if (!sent.redemption) return this.#guestGivesUp('sendRedemptionPasscode', sent);
    const passcode = await this.#passcode(mail.address, earlier, signal);
    if (!passcode) return 'again';
    const input = { redemptionId, consentVersion, consent: true, passcode };
    const redeemed = await this.#guestAsks('redeemInvitation', 'RedeemInvitationInput', input);
    if (redeemed.redemption?.status !== 'REDEEMED') return this.#guestGivesUp('redeemInvitation', redeemed);
    this.#journal.redeemed.add(mail.address);
    return 'over';
  }

  /** Whoever gets no page, or another than expected, begins anew in a browser without cookies. */
  async #byPages({ address, redeemUrl }: InvitationMail): Promise<'over' | 'again'> {
    const { mailbox } = this.#options;
    const browser = new GuestBrowser();
    try {
      const link = await browser.get(redeemUrl);
      if (link.html.includes('INVITATION_NOT_FOUND')) this.#journal.surprises.push('a mailed link was unknown');
      if (link.forms.length === 0) return link.status < 500 ? 'over' : 'again';
      const started = await browser.submit(link, new URL(redeemUrl).pathname);
      const earlier = mailbox.passcodesTo(address).length;
      const asked = await browser.submit(started, '/passcode/send');
      const passcode = await this.#passcode(address, earlier, AbortSignal.timeout(PASSCODE_PATIENCE_MILLISECONDS));
      if (!passcode) return 'again';
      const proven = await browser.submit(asked, '/passcode', { passcode });
      const landed = await browser.submit(proven, '/accept');
      if (!isLanded(landed)) return 'again';
      this.#journal.redeemed.add(address);
      return 'over';
    } catch {
      return 'again';
    }
  }

  async #passcode(address: string, earlier: number, signal: AbortSignal): Promise<string | undefined> {
    const giveUpAt = Date.now() + PASSCODE_PATIENCE_MILLISECONDS;
    for (;;) {
      const passcode = this.#options.mailbox.passcodesTo(address)[earlier];
      if (passcode || signal.aborted || Date.now() > giveUpAt) return passcode;
      await wait(20);
    }
  }

  async #guestAsks(field: string, type: string, input: object): Promise<Data> {
    const selection = '{ redemption { id status consentVersion } userErrors { code } }';
    const document = `mutation ($input: ${type}!) { answer: ${field}(input: $input) ${selection} }`;
    return (await this.#options.clients.ask(document, { input }, { key: null })).answer;
  }

  /** Some refusals end the guest's way; with others a new beginning helps. */
  #guestGivesUp(step: string, payload: Data): 'over' | 'again' {
    if (this.#isOnly(payload, ...endsTheWay)) return 'over';
    // A handle dies when its link is sent anew, or with its time; the link itself is known for ever.
    const isHandleGone = step !== 'beginRedemption' && this.#isOnly(payload, 'INVITATION_NOT_FOUND');
    if (!isHandleGone && !this.#isOnly(payload, ...mendedAnew)) this.#isRefused(step, payload);
    return 'again';
  }

  #change(field: string, invitationId: string): Promise<Data> {
    return this.#options.clients.ask(
      `mutation ($input: InvitationIdInput!) { ${field}(input: $input) { invitation { id } userErrors { code } } }`,
      { input: { invitationId } },
    );
  }

  #anyInvitation(isFit: (invited: { email: string; sendMail: boolean }) => boolean): string | undefined {
    const fit = [...this.#journal.invited].filter(([, invited]) => isFit(invited));
    return fit.length > 0 ? this.#options.random.pick(fit)[0] : undefined;
  }

  #grants(tenantId: string): { appIds: string[]; groupIds: string[] } {
    const { appId, groupId } = this.#options.grants.get(tenantId) ?? { appId: '', groupId: '' };
    return { appIds: [appId], groupIds: [groupId] };
  }

  #contendedAddress(): string {
    return `contended${this.#options.random.integer(CONTENDED)}@${DOMAIN}`;
  }

  /** Refused, and for nothing but these reasons. */
  #isOnly({ userErrors }: { userErrors: { code: string }[] }, ...codes: string[]): boolean {
    return userErrors.length > 0 && userErrors.every(({ code }) => codes.includes(code));
  }

  #isRefused(what: string, payload: { userErrors: { code: string }[] }): boolean {
    if (payload.userErrors.length === 0) return false;
    this.#journal.surprises.push(`${what} was refused: ${payload.userErrors.map(({ code }) => code).join(', ')}`);
    return true;
  }
}

const idsOf = ({ appIds, groupIds }: { appIds: string[]; groupIds: string[] }) => ({
  appIds: String(appIds),
  groupIds: String(groupIds),
});

const endsTheWay = ['REVOKED', 'SUPERSEDED', 'ALREADY_REDEEMED', 'DECLINED', 'EXPIRED', 'RATE_LIMITED'];
/** Clocks that are put forward end flows and codes. */
const mendedAnew = ['PASSCODE_EXPIRED', 'PROOF_REQUIRED', 'NOT_FOUND', 'PASSCODE_WRONG', 'TOO_MANY_ATTEMPTS'];

function isLanded({ status, html }: WebPage): boolean {
  return status === 200 && html.includes('You are a guest of');
}
