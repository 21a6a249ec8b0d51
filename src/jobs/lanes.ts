/**
 * Jobs in three lanes of a process, so that none waits for another kind: passcodes, for which a guest sits and waits; mails,
 * which wait for their server; everything else, above all bulk work.
 */
import type { TaskList } from 'graphile-worker';
import { INVITATION_COPY_TASK, INVITATION_MAIL_TASK } from '../features/invitations/invitation-mail-jobs.service.js';
import { PASSCODE_MAIL_TASK } from '../features/proving/passcodes.service.js';
import { UNSUBSCRIBE_MAIL_TASK } from '../features/unsubscriptions/unsubscriptions.service.js';

export interface Lane {
  tasks: TaskList;
  /** What runs by the clock; '' nothing. */
  crontab: string;
  /** Jobs at once. */
  concurrency: number;
  /** Whether jobs are fetched by the dozen. They are locked from then on, so only where each is short. */
  fetchesAhead: boolean;
  /** Connections to the database, the one that listens included. */
  connections: number;
}

const PASSCODES_AT_ONCE = 2;
/** For each connection to the mail server: while one mail is handed over, others are loaded, or their outcome is written. */
const MAILS_PER_CONNECTION = 20;
/** Listening, fetching, and writing what became of jobs. */
const CONNECTIONS_FOR_MAIL = 4;
const MOST_CONNECTIONS_FOR_WORK = 10;

export interface LaneSizes {
  /** Of everything that is not mail. */
  concurrency: number;
  mailConnections: number;
}

export function lanesOf(tasks: TaskList, crontab: string, { concurrency, mailConnections }: LaneSizes): Lane[] {
  const passcodes = new Set([PASSCODE_MAIL_TASK, UNSUBSCRIBE_MAIL_TASK]);
  const mails = new Set([INVITATION_MAIL_TASK, INVITATION_COPY_TASK]);
  const pick = (isIn: (task: string) => boolean): TaskList =>
    Object.fromEntries(Object.entries(tasks).filter(([task]) => isIn(task)));
  const lane = { crontab: '', fetchesAhead: false };
  return [
    {
      ...lane,
      tasks: pick((task) => passcodes.has(task)),
      concurrency: PASSCODES_AT_ONCE,
      connections: PASSCODES_AT_ONCE + 1,
    },
    {
      ...lane,
      tasks: pick((task) => mails.has(task)),
      concurrency: mailConnections * MAILS_PER_CONNECTION,
      fetchesAhead: true,
      connections: CONNECTIONS_FOR_MAIL,
    },
    {
      tasks: pick((task) => !passcodes.has(task) && !mails.has(task)),
      crontab,
      concurrency,
      fetchesAhead: false,
      connections: Math.min(concurrency + 2, MOST_CONNECTIONS_FOR_WORK),
    },
  ];
}
