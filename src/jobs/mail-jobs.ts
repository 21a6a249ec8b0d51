/**
 * The mail jobs: an invitation's mail, its copies, a passcode. Each job is one mail, tried and given up by itself; what they
 * read and write is read and written for many at once, because the database's part is what a mail would cost most.
 */
import type { JobHelpers } from 'graphile-worker';
import {
  type Delivered,
  InvitationMails,
  type LinkVersion,
  type MailToLoad,
  recordDeliveries,
  recordDelivery,
} from '../features/invitations/delivery.service.js';
import { INVITATION_COPY_TASK, INVITATION_MAIL_TASK } from '../features/invitations/invitation-mail-jobs.service.js';
import { loadPasscodeMail, markPasscodeSent, PASSCODE_MAIL_TASK } from '../features/proving/passcodes.service.js';
import { loadUnsubscribeMail, markUnsubscribeMailSent } from '../features/unsubscriptions/unsubscribe-mails.service.js';
import { UNSUBSCRIBE_MAIL_TASK } from '../features/unsubscriptions/unsubscriptions.service.js';
import type { MailMessage } from '../kernel/mail-message.js';
import { noteInScope } from '../kernel/scope.js';
import { MailPaused, PermanentMailError, TemporaryMailError } from '../mail/mail-errors.js';
import { Batch } from '../request/batch.js';
import type { RequestContext } from '../request/request-context.js';
import { AtMost } from './at-most.js';

export interface MailServer {
  /** Waits while the server takes no mail. */
  ready(signal?: AbortSignal): Promise<void>;
  /** @throws PermanentMailError, TemporaryMailError, MailPaused */
  deliver(message: MailMessage): Promise<void>;
}

export interface MailJobParts {
  context(task: string): RequestContext;
  mailServer: MailServer;
  mailConnections: number;
  publicUrl: URL;
  observeMail(outcome: 'sent' | 'failed' | 'postponed'): void;
}

type Handler = (ctx: RequestContext, payload: never, helpers: JobHelpers) => Promise<void>;

/** Why the mail will never arrive, or null when it is on its way. */
type Failure = string | null;

/** One batch for the whole process. */
const EVERYBODY = '';

/**
 * Mails handed over, or about to be, whose outcome is not noted yet, for each connection: those a kill repeats. Enough that the
 * server does not wait for the database.
 */
const UNNOTED_PER_CONNECTION = 4;

/** A refusal that may be about us who send is believed when it comes again. */
const ATTEMPTS_BEFORE_BELIEF = 2;

export function mailHandlers(parts: MailJobParts): Record<string, Handler> {
  const mails = new InvitationMails(parts.publicUrl);
  const loads = new Batch((wanted: readonly MailToLoad[]) => mails.load(parts.context('load_mails'), wanted));
  const records = new Batch((delivered: readonly Delivered[]) =>
    recordDeliveries(parts.context('record_mails'), delivered),
  );
  const unnoted = new AtMost(UNNOTED_PER_CONNECTION * parts.mailConnections);
  const load = async (mail: MailToLoad): Promise<MailMessage | null> => {
    const loaded = await loads.run(EVERYBODY, mail);
    if (loaded instanceof Error) throw loaded;
    if (loaded?.tenantId) noteInScope({ tenant: loaded.tenantId });
    return loaded;
  };
  return {
    [INVITATION_MAIL_TASK]: async (ctx, link: LinkVersion, helpers) => {
      await send(
        parts,
        () => load({ ...link, copy: null }),
        (message) =>
          unnoted.run(async () => {
            const failure = await attempt(parts, message, helpers);
            const delivered = { ...link, failure };
            if (!(await records.run(EVERYBODY, delivered))) await recordDelivery(ctx, delivered);
          }),
        helpers,
      );
    },
    [INVITATION_COPY_TASK]: async (ctx, { copy, ...link }: LinkVersion & { copy: number }, helpers) => {
      await send(
        parts,
        () => load({ ...link, copy }),
        async (message) => {
          const failure = await attempt(parts, message, helpers);
          if (failure)
            ctx.log.warn(
              { invitation: link.invitationId, copy, failure },
              'a copy of an invitation could not be delivered',
            );
        },
        helpers,
      );
    },
    [PASSCODE_MAIL_TASK]: async (ctx, { passcodeId }: { passcodeId: string }, helpers) => {
      await send(
        parts,
        () => loadPasscodeMail(ctx, passcodeId),
        async (message) => {
          const failure = await attempt(parts, message, helpers);
          if (failure) ctx.log.warn({ passcode: passcodeId, failure }, 'a passcode could not be delivered');
          await markPasscodeSent(ctx, passcodeId);
        },
        helpers,
      );
    },
    [UNSUBSCRIBE_MAIL_TASK]: async (ctx, { flowId }: { flowId: string }, helpers) => {
      await send(
        parts,
        () => loadUnsubscribeMail(ctx, flowId),
        async (message) => {
          const failure = await attempt(parts, message, helpers);
          if (failure) ctx.log.warn({ flow: flowId, failure }, 'a passcode could not be delivered');
          await markUnsubscribeMailSent(ctx, flowId);
        },
        helpers,
      );
    },
  };
}

/** Waits for the server first and loads then, so that what was revoked or resent meanwhile is not sent. */
async function send(
  parts: MailJobParts,
  load: () => Promise<MailMessage | null>,
  handOver: (message: MailMessage) => Promise<void>,
  { abortSignal }: JobHelpers,
): Promise<void> {
  for (;;) {
    await parts.mailServer.ready(abortSignal);
    const message = await load();
    if (!message) return;
    try {
      return await handOver(message);
    } catch (error) {
      if (!(error instanceof MailPaused)) throw error;
    }
  }
}

/** @throws TemporaryMailError, PermanentMailError while there are attempts left: the worker comes again, later each time. */
async function attempt(parts: MailJobParts, message: MailMessage, { job }: JobHelpers): Promise<Failure> {
  try {
    await parts.mailServer.deliver(message);
    parts.observeMail('sent');
    return null;
  } catch (error) {
    if (!(error instanceof TemporaryMailError || error instanceof PermanentMailError)) throw error;
    const isFinal = isBelieved(error, job.attempts) || job.attempts >= job.max_attempts;
    parts.observeMail(isFinal ? 'failed' : 'postponed');
    if (!isFinal) throw error;
    return error.reason;
  }
}

function isBelieved(error: TemporaryMailError | PermanentMailError, attempts: number): boolean {
  return error instanceof PermanentMailError && (!error.doubtful || attempts >= ATTEMPTS_BEFORE_BELIEF);
}
