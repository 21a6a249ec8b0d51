/**
 * What must hold once the faults are over and everything has come to rest: by the tables, by what clients were told, and by
 * what the mail server got. Each rule is a sentence and finds what breaks it.
 */
import { type Fault, interrupting } from './faults.js';
import type { Arrival } from './mailbox.js';
import type { Subscriber, Told } from './subscriber.js';
import type { Journal } from './workload.js';

export interface Violation {
  rule: string;
  /** The first of them. */
  examples: unknown[];
  count: number;
}

export interface Evidence {
  rows<T>(query: string): Promise<T[]>;
  journal: Journal;
  subscribers: Subscriber[];
  arrivals: readonly Arrival[];
  faults: readonly Fault[];
  /** Living processes. */
  gateways: number;
}

const EXAMPLES = 5;

export async function findViolations(evidence: Evidence): Promise<Violation[]> {
  const found: Violation[] = [];
  const check = (rule: string, broken: readonly unknown[]) => {
    if (broken.length > 0) found.push({ rule, examples: broken.slice(0, EXAMPLES), count: broken.length });
  };
  for (const [rule, query] of Object.entries(rulesOfTables)) check(rule, await evidence.rows(query));
  await checkJournal(evidence, check);
  await checkFeed(evidence, check);
  await checkMails(evidence, check);
  const processes = await evidence.rows('select id from gateway_process');
  check('every process that lives shows it, and no other', processes.length === evidence.gateways ? [] : processes);
  return found;
}

type Check = (rule: string, broken: readonly unknown[]) => void;

/** Events of invitations, each with what stands before it. */
const TOLD = `select e.invitation_id, e.type, row_number() over w as position, lag(e.type) over w as before,
  array_agg(e.type) over (w rows between unbounded preceding and 1 preceding) as earlier
  from event e window w as (partition by e.invitation_id order by e.epoch, e.xid, e.seq)`;

/** Each selects what breaks it. */
const rulesOfTables: Record<string, string> = {
  'an address has one invitation that is open or was accepted': `
    select tenant_id, email_key from invitation where status in ('PENDING', 'REDEEMED') group by 1, 2 having count(*) > 1`,
  'an address that nobody else asks for has one invitation': `
    select tenant_id, email_key from invitation where email_key not like 'contended%' group by 1, 2 having count(*) > 1`,
  'an invitation is told of once, before everything else about it': `
    select i.id from invitation i
    where (select count(*) from event e where e.invitation_id = i.id and e.type = 'INVITED') <> 1
    union all select invitation_id from (${TOLD}) told where position = 1 and type <> 'INVITED'`,
  'events tell of invitations there are': `
    select e.invitation_id from event e where not exists (select from invitation i where i.id = e.invitation_id)`,
  'what ends an invitation is told once, and nothing but its mail after it': `
    select invitation_id, type, earlier from (${TOLD}) told
    where earlier && '{REDEEMED,REVOKED,EXPIRED}' and type not in ('MAIL_SENT', 'MAIL_FAILED', 'PASSCODE_SENT')`,
  'status and feed agree': `
    select i.id, i.status from invitation i
    where i.status in ('REDEEMED', 'REVOKED', 'EXPIRED', 'DECLINED')
      and not exists (select from event e where e.invitation_id = i.id and e.type = i.status)
    union all
    select i.id, i.status from invitation i join event e on e.invitation_id = i.id
    where e.type in ('REDEEMED', 'REVOKED', 'EXPIRED') and e.type <> i.status`,
  'nobody accepts before starting, proving and consenting': `
    select invitation_id, earlier from (${TOLD}) told
    where type = 'REDEEMED' and not earlier @> '{INVITED,STARTED,PASSCODE_SENT,IDENTITY_PROVEN,CONSENTED}'`,
  'a redeemed invitation has an accepted user with one identity': `
    select i.id, u.state from invitation i join external_user u on u.id = i.external_user_id
    where i.status = 'REDEEMED'
      and (u.state <> 'ACCEPTED' or (select count(*) from identity d where d.external_user_id = u.id) <> 1)`,
  'nobody is accepted, or has an identity, without a redeemed invitation': `
    select u.id from external_user u
    where (u.state = 'ACCEPTED' or exists (select from identity d where d.external_user_id = u.id))
      and not exists (select from invitation i where i.external_user_id = u.id and i.status = 'REDEEMED')`,
  'what a redeemed invitation grants is real, once': `
    select i.id, g.app_id, g.group_id from invitation i join invitation_grant g on g.invitation_id = i.id
    where i.status = 'REDEEMED' and 1 <> case when g.group_id is not null
      then (select count(*) from group_member m where m.group_id = g.group_id and m.external_user_id = i.external_user_id)
      else (select count(*) from app_assignment a where a.app_id = g.app_id and a.external_user_id = i.external_user_id) end`,
  'an invitation keeps what it grants': `
    select i.id from invitation i where (select count(*) from invitation_grant g where g.invitation_id = i.id) <> 2`,
  'nothing is granted that no redeemed invitation grants': `
    select user_id from (
      select external_user_id as user_id from group_member union all select external_user_id from app_assignment) granted
    where not exists (select from invitation i where i.external_user_id = user_id and i.status = 'REDEEMED')`,
  'a mail is told of once for each link': `
    select i.id, i.send_count from invitation i
    where (select count(*) from event e where e.invitation_id = i.id and e.type in ('MAIL_SENT', 'MAIL_FAILED'))
      > 1 + (select count(*) from event e where e.invitation_id = i.id and e.type = 'RESENT')
    union all
    select invitation_id, null from (${TOLD}) told where type like 'MAIL_%' and before like 'MAIL_%'`,
  'every mail of an open invitation went out, or says why not': `
    select id, delivery, delivery_error from invitation
    where status = 'PENDING' and (delivery = 'QUEUED' or delivery = 'FAILED' and delivery_error is null)`,
  'no bulk invite is unfinished, or failed but for an upload that was cut off': `
    select id, status, errors from bulk_invite
    where status <> 'COMPLETED' and not (status = 'FAILED' and errors @> '[{"code": "UPLOAD_INCOMPLETE"}]')`,
  'of an upload that was cut off nothing is left': `
    select b.id from bulk_invite b where b.status = 'FAILED' and (
      exists (select from bulk_invite_row r where r.bulk_invite_id = b.id)
      or exists (select from invitation i where i.bulk_invite_id = b.id))`,
  'a bulk invite counts its rows': `
    select b.id, b.total_rows, b.processed_rows, b.invited_rows, b.rejected_rows from bulk_invite b, lateral (
      select count(*) as total, count(*) filter (where outcome = 'INVITED') as invited,
        count(*) filter (where outcome = 'REJECTED') as rejected
      from bulk_invite_row r where r.bulk_invite_id = b.id) counted
    where (b.total_rows, b.processed_rows, b.invited_rows, b.rejected_rows) <> (total, total, invited, rejected)
      or total <> invited + rejected`,
  'a row that was invited has its invitation, which no other row has': `
    select r.bulk_invite_id, r.row_number from bulk_invite_row r
    left join invitation i on i.id = r.invitation_id and i.bulk_invite_id = r.bulk_invite_id and i.row_number = r.row_number
    where r.outcome = 'INVITED' and i.id is null
    union all
    select i.bulk_invite_id, i.row_number from invitation i
    where i.bulk_invite_id is not null and not exists (
      select from bulk_invite_row r
      where r.bulk_invite_id = i.bulk_invite_id and r.row_number = i.row_number and r.invitation_id = i.id)`,
  'no job is left, and none is held': `
    select key, attempts, last_error, locked_by from graphile_worker.jobs
    where (key is not null or attempts < max_attempts) and task_identifier <> all ('{clean_up,expire_invitations,end_silent_uploads}')
      or locked_at < now() - interval '10 seconds'`,
  'no queue is held': `select queue_name, locked_by from graphile_worker._private_job_queues where locked_at is not null`,
};

async function checkJournal({ rows, journal }: Evidence, check: Check): Promise<void> {
  check('nobody is told what they should not be told', journal.surprises);
  const invitations = await byId<{ id: string; email: string; status: string; resent: number }>(
    rows,
    `select i.id, i.email, i.status,
      (select count(*)::int from event e where e.invitation_id = i.id and e.type = 'RESENT') as resent from invitation i`,
  );
  check(
    'an invitation that was answered is there',
    [...journal.invited].filter(([id, { email }]) => invitations.get(id)?.email !== email),
  );
  check(
    'what was answered as revoked is revoked',
    [...journal.revoked].filter((id) => invitations.get(id)?.status !== 'REVOKED'),
  );
  check(
    'a link that was answered as sent anew was',
    [...journal.resent].filter(([id, times]) => (invitations.get(id)?.resent ?? 0) < times),
  );
  const statuses = new Map<string, Set<string>>();
  for (const { email, status } of invitations.values())
    statuses.set(email, (statuses.get(email) ?? new Set()).add(status));
  check(
    'who was told to be a guest now is one',
    [...journal.redeemed].filter((address) => !statuses.get(address)?.has('REDEEMED')),
  );
  check(
    'what was answered as declined is, unless the guest changed their mind',
    [...journal.declined].filter(
      (address) => !statuses.get(address)?.has('DECLINED') && !statuses.get(address)?.has('REDEEMED'),
    ),
  );
  const bulkInvites = await byId<{ id: string; total: number; rejected: number }>(
    rows,
    'select id, total_rows as total, rejected_rows as rejected from bulk_invite',
  );
  check(
    'a bulk invite that was answered is there, whole',
    [...journal.bulkInvites].filter(([id, { rows, bad }]) => {
      const stored = bulkInvites.get(id);
      // The row of the contended address may win or lose.
      return stored?.total !== rows || stored.rejected < bad || stored.rejected > bad + 1;
    }),
  );
}

/** Exactly once and in order, which is more than the feed promises: these clients resume from the last event they kept. */
async function checkFeed({ rows, subscribers }: Evidence, check: Check): Promise<void> {
  const events = await rows<{ place: string; tenant: string }>(
    `select epoch || '.' || xid || '.' || seq as place, tenant_id as tenant from event order by epoch, xid, seq`,
  );
  for (const { name, tenantId, connections } of subscribers) {
    const places = connections.map((told) => told.map(placeOf));
    check(
      `${name}: no connection tells an event twice`,
      places
        .filter((told) => new Set(told).size < told.length)
        .map((told) => told.filter((place, at) => told.indexOf(place) < at)),
    );
    const heard = places.flat();
    const written = events.filter(({ tenant }) => tenant === tenantId).map(({ place }) => place);
    const known = new Set(heard);
    check(
      `${name}: every event is told`,
      written.filter((place) => !known.has(place)),
    );
    check(
      `${name}: events are told in the order of the feed, and not again after a reconnect`,
      firstDifference(heard, written),
    );
  }
}

function firstDifference(heard: string[], written: string[]): unknown[] {
  const at = written.findIndex((place, index) => heard[index] !== place);
  if (at < 0 && heard.length === written.length) return [];
  return [
    { at, heard: heard.slice(at, at + 3), written: written.slice(at, at + 3), counts: [heard.length, written.length] },
  ];
}

/** A cursor is a signature of 12 bytes and the place as text (`src/events/feed-place.ts`). */
function placeOf({ cursor }: Told): string {
  return Buffer.from(cursor, 'base64url').subarray(12).toString();
}

async function checkMails({ rows, arrivals, faults }: Evidence, check: Check): Promise<void> {
  const copies = new Map<string, Arrival[]>();
  for (const arrival of arrivals) copies.set(arrival.messageId, [...(copies.get(arrival.messageId) ?? []), arrival]);
  check(
    'a Message-ID goes to one address',
    [...copies.values()].filter((mails) => new Set(mails.map(({ address }) => address)).size > 1),
  );
  check(
    'a mail comes again only if something was killed, cut or paused between, and once for each time',
    repeatsOf(copies).filter(({ first, last, times }) => interruptionsBetween(faults, first, last) < times - 1),
  );
  const links = new Map<string, Set<string>>();
  for (const { address, messageId, isInvitation } of arrivals)
    if (isInvitation) links.set(address, (links.get(address) ?? new Set()).add(messageId));
  const addresses = await rows<{ email: string; sent: number; silent: boolean }>(
    `select i.email, bool_and(i.delivery = 'SUPPRESSED') as silent,
      sum((select count(*) from event e where e.invitation_id = i.id and e.type = 'MAIL_SENT'))::int as sent
    from invitation i group by 1`,
  );
  const arrived = ({ email }: { email: string }) => links.get(email)?.size ?? 0;
  check(
    'what is told as sent arrived',
    addresses.filter((address) => arrived(address) < address.sent),
  );
  check(
    'nobody gets a mail that was not asked for',
    addresses.filter((address) => address.silent && arrived(address) > 0),
  );
}

export interface Repeat {
  messageId: string;
  times: number;
  first: number;
  last: number;
}

export function repeatsOf(copies: ReadonlyMap<string, Arrival[]>): Repeat[] {
  return [...copies].flatMap(([messageId, mails]) => {
    const [first, last] = [mails[0], mails.at(-1)];
    return first && last && mails.length > 1
      ? [{ messageId, times: mails.length, first: first.at, last: last.at }]
      : [];
  });
}

/** With a second's grace: a mail under way when it happened may have arrived before it was over. */
function interruptionsBetween(faults: readonly Fault[], first: number, last: number): number {
  return faults.filter(({ kind, from, to }) => interrupting.includes(kind) && from <= last && to >= first - 1000)
    .length;
}

async function byId<T extends { id: string }>(rows: Evidence['rows'], query: string): Promise<Map<string, T>> {
  return new Map((await rows<T>(query)).map((row) => [row.id, row]));
}
