/**
 * Codes sent to the address under proof. A code is bound to its flow and kept as a keyed digest; on its way to the mail job
 * it is sealed, and gone once sent. Sending again leaves earlier codes valid, because mails overtake each other; all of
 * them share one count of tries. When that is used up they die, and only a new code begins a new count.
 */
import { randomInt } from 'node:crypto';
import { sql } from 'kysely';
import { addJob, jobPriority } from '../../database/add-job.js';
import { later, MINUTE } from '../../kernel/clock.js';
import { refuse, type UserError } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import type { MailMessage } from '../../kernel/mail-message.js';
import { noteInScope } from '../../kernel/scope.js';
import type { RequestContext } from '../../request/request-context.js';
import { loadLogo } from '../tenants/tenant-logo.service.js';
import { type PasscodeFacts, passcodeMail } from './passcode.mail.js';
import { type Proof, recordPasscodeProof, recordRefusal } from './proof.service.js';
import { type ProofStep, tellOf } from './proof-step.service.js';

export const PASSCODE_MAIL_TASK = 'send_passcode_mail';

const TRIES_PER_PASSCODE = 5;
/** Over all flows of a link or an address, per window. */
const WRONG_PASSCODES = 25;
const PASSCODE_LIFETIME = 30 * MINUTE;
/** With the worker's back-off about five minutes; a later mail would carry a code that is nearly over. */
const MAIL_ATTEMPTS = 6;

export async function createPasscode(step: ProofStep): Promise<void> {
  const { ctx, tx, now, flow } = step;
  await startNewCount(step);
  const id = newId('Passcode');
  const code = String(randomInt(100_000_000)).padStart(8, '0');
  await sql`
    insert into passcode (id, tenant_id, flow_id, code_hash, sealed_code, created_at, expires_at)
    values (${id}, ${flow.tenantId}, ${flow.id}, ${ctx.secrets.sign('passcode', `${flow.id}/${code}`)},
      ${ctx.secrets.seal(code, sealContext(id))}, ${now}, ${later(now, PASSCODE_LIFETIME)})`.execute(tx.db);
  await addJob(
    tx,
    PASSCODE_MAIL_TASK,
    { passcodeId: id },
    { priority: jobPriority.passcode, maxAttempts: MAIL_ATTEMPTS },
  );
  await tellOf(step, { type: 'PASSCODE_SENT' });
}

/** Codes whose tries are used up die before the next one is made; living ones keep their count. */
async function startNewCount({ tx, now, flow }: ProofStep): Promise<void> {
  await sql`
    delete from passcode p using redemption_flow f
    where f.id = ${flow.id} and p.flow_id = f.id and (f.passcode_tries >= ${TRIES_PER_PASSCODE} or p.expires_at <= ${now})`.execute(
    tx.db,
  );
  await sql`
    update redemption_flow f set passcode_tries = 0
    where f.id = ${flow.id} and not exists (select from passcode p where p.flow_id = f.id)`.execute(tx.db);
}

/** @returns why it proves nothing, as a value: thrown inside the transaction it would take the count back. */
export async function proveByPasscode(step: ProofStep, passcode: string, proof: Proof): Promise<UserError | null> {
  const tried = (await tryPasscodes([{ step, passcode }])).get(step.flow.id);
  if (typeof tried !== 'string') return tried ?? refuse('PASSCODE_WRONG');
  await recordPasscodeProof(step, tried, proof);
  return null;
}

export interface PasscodeTry {
  step: ProofStep;
  passcode: string;
}

/** The id of the code that fits, or why it proves nothing. */
export type Tried = string | UserError;

/**
 * Counts each try, then compares. One statement for all of them; a wrong one costs two more.
 * @returns by flow.
 */
export async function tryPasscodes(tries: readonly PasscodeTry[]): Promise<Map<string, Tried>> {
  const [first] = tries;
  if (!first) return new Map();
  const rowsOf = Map.groupBy(await countTries(first.step, tries), (row) => row.flowId);
  const tried = new Map<string, Tried>();
  for (const { step, passcode } of tries)
    tried.set(step.flow.id, await judge(step, passcode, rowsOf.get(step.flow.id) ?? []));
  return tried;
}

/** Of a try, one row for each code of its flow, at least one. */
interface TriedRow {
  flowId: string;
  /** Too many wrong ones since then; nothing was counted. */
  blockedSince: Date | null;
  counted: boolean;
  passcodeId: string | null;
  codeHash: Buffer;
  expiresAt: Date;
  usedAt: Date | null;
}

async function countTries({ tx }: ProofStep, tries: readonly PasscodeTry[]): Promise<TriedRow[]> {
  const { rows } = await sql<TriedRow>`
    with asked as materialized (
      select asked.flow_id, blocked.window_started_at as blocked_since
      from unnest(
        ${tries.map(({ step }) => step.flow.id)}::text[],
        ${tries.map(({ step }) => step.guesses.countedFor)}::text[],
        ${tries.map(({ step }) => windowStart(step).toISOString())}::timestamptz[]
      ) as asked (flow_id, counted_for, since)
      left join passcode_failures blocked
        on blocked.tenant_id = ${tx.tenantId} and blocked.counted_for = asked.counted_for
        and blocked.wrong >= ${WRONG_PASSCODES} and blocked.window_started_at > asked.since
    ),
    counted as (
      update redemption_flow f set passcode_tries = passcode_tries + 1 from asked
      where f.id = asked.flow_id and asked.blocked_since is null and f.passcode_tries < ${TRIES_PER_PASSCODE}
      returning f.id
    )
    select asked.flow_id as "flowId", asked.blocked_since as "blockedSince", counted.id is not null as counted,
      p.id as "passcodeId", p.code_hash as "codeHash", p.expires_at as "expiresAt", p.used_at as "usedAt"
    from asked left join counted on counted.id = asked.flow_id left join passcode p on p.flow_id = asked.flow_id
    order by p.created_at desc`.execute(tx.db);
  return rows;
}

async function judge(step: ProofStep, passcode: string, rows: readonly TriedRow[]): Promise<Tried> {
  const blockedSince = rows[0]?.blockedSince;
  if (blockedSince) return tooManyUntil(later(blockedSince, step.guesses.window), step.now);
  if (!rows[0]?.counted) return refuse('TOO_MANY_ATTEMPTS');
  const match = findMatch(step, passcode, rows);
  if (!match?.passcodeId) return rejectPasscode(step);
  return match.usedAt || match.expiresAt <= step.now ? refuse('PASSCODE_EXPIRED') : match.passcodeId;
}

function windowStart({ now, guesses }: ProofStep): Date {
  return later(now, -guesses.window);
}

function tooManyUntil(ends: Date, now: Date): UserError {
  return refuse('TOO_MANY_ATTEMPTS', { retryAfterSeconds: Math.ceil((ends.getTime() - now.getTime()) / 1000) });
}

/** Every code of the flow is compared, so that the time taken tells nothing of which one nearly fitted. */
function findMatch({ ctx, flow }: ProofStep, passcode: string, rows: readonly TriedRow[]): TriedRow | undefined {
  const message = `${flow.id}/${normalPasscode(passcode)}`;
  return rows.filter(({ passcodeId, codeHash }) => passcodeId && ctx.secrets.verify('passcode', message, codeHash))[0];
}

/** People paste codes with blanks, and some keyboards write full-width digits. */
function normalPasscode(text: string): string {
  return text.normalize('NFKC').replace(/[\s-]/g, '');
}

async function rejectPasscode(step: ProofStep): Promise<UserError> {
  const { tx, now, flow, guesses } = step;
  const start = windowStart(step);
  await sql`
    insert into passcode_failures as known (tenant_id, counted_for, window_started_at, wrong)
    values (${flow.tenantId}, ${guesses.countedFor}, ${now}, 1)
    on conflict (tenant_id, counted_for) do update set
      wrong = case when known.window_started_at > ${start} then known.wrong + 1 else 1 end,
      window_started_at = case when known.window_started_at > ${start} then known.window_started_at else ${now} end`.execute(
    tx.db,
  );
  const { rows } = await sql`
    select from redemption_flow where id = ${flow.id} and passcode_tries >= ${TRIES_PER_PASSCODE}`.execute(tx.db);
  if (rows.length > 0) await recordRefusal(step, 'TOO_MANY_ATTEMPTS');
  return refuse(flow.hasPasscode ? 'PASSCODE_WRONG' : 'PASSCODE_EXPIRED', { field: ['passcode'] });
}

/**
 * The mail of a code that can still be entered and was not sent yet; null: there is nothing to send any more, or nobody, as
 * for a sign-in with an address that nobody here has.
 */
export async function loadPasscodeMail(ctx: RequestContext, passcodeId: string): Promise<MailMessage | null> {
  const now = ctx.clock.now();
  const { rows } = await sql<Omit<PasscodeFacts, 'passcode' | 'logo'> & { sealedCode: Buffer; tenantId: string }>`
    select p.id as "passcodeId", p.sealed_code as "sealedCode", p.expires_at as "expiresAt",
      coalesce(i.email, f.email) as email, coalesce(i.language, u.preferred_language, f.language) as language,
      coalesce(u.display_name, i.display_name) as "guestName", t.display_name as "tenantName", p.tenant_id as "tenantId",
      t.accent_color as "accentColor", t.support_email as "supportEmail", t.privacy_statement_url as "privacyStatementUrl"
    from passcode p
    join redemption_flow f on f.id = p.flow_id
    left join invitation i on i.id = f.invitation_id
    join external_user u on u.id = coalesce(i.external_user_id, f.external_user_id)
    join tenant t on t.id = p.tenant_id
    where p.id = ${passcodeId} and p.sealed_code is not null and p.expires_at > ${now} and f.expires_at > ${now}
      and case when f.purpose = 'REDEEM' then f.link_version = i.link_version and i.status = 'PENDING' and i.expires_at > ${now}
        else u.account_enabled end`.execute(ctx.db);
  const [found] = rows;
  if (!found) return null;
  const { sealedCode, tenantId, ...facts } = found;
  noteInScope({ tenant: tenantId });
  const logo = await loadLogo(ctx.db, tenantId);
  return passcodeMail({ ...facts, logo, passcode: ctx.secrets.open(sealedCode, sealContext(passcodeId)) }, now);
}

/** Also once it will never be sent: the code is not kept. */
export async function markPasscodeSent(ctx: RequestContext, passcodeId: string): Promise<void> {
  await ctx.transaction(null, ({ db }) =>
    sql`update passcode set sealed_code = null where id = ${passcodeId}`.execute(db),
  );
}

function sealContext(passcodeId: string): string {
  return `passcode:${passcodeId}`;
}
