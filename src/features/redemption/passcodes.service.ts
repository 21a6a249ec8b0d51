/**
 * Codes sent to the invited address. A code is bound to its flow and kept as a keyed digest; on its way to the mail job
 * it is sealed, and gone once sent. Sending again leaves earlier codes valid, because mails overtake each other; all of
 * them share one count of tries. When that is used up they die, and only a new code begins a new count.
 */
import { randomInt } from 'node:crypto';
import { sql } from 'kysely';
import { addJob, jobPriority } from '../../database/add-job.js';
import { DAY, later, MINUTE } from '../../kernel/clock.js';
import { refuse, type UserError } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import type { MailMessage } from '../../kernel/mail-message.js';
import type { RequestContext } from '../../request/request-context.js';
import { loadLogo } from '../tenants/tenant-logo.service.js';
import { type PasscodeFacts, passcodeMail } from './passcode.mail.js';
import { passcodeProof, recordProof, recordRefusal } from './proof.js';
import { type Step, tell } from './steps.js';

const TRIES_PER_PASSCODE = 5;
/** Per link and window: guessing cannot go on by starting new flows. */
const WRONG_PASSCODES_PER_LINK = 25;
const FAILURE_WINDOW = DAY;
const PASSCODE_LIFETIME = 30 * MINUTE;
/** With the worker's back-off about five minutes; a later mail would carry a code that is nearly over. */
const MAIL_ATTEMPTS = 6;

export async function createPasscode(step: Step): Promise<void> {
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
    'send_passcode_mail',
    { passcodeId: id },
    { priority: jobPriority.passcode, maxAttempts: MAIL_ATTEMPTS },
  );
  await tell(tx, flow.invitationId, now, { type: 'PASSCODE_SENT' });
}

/** Codes whose tries are used up die before the next one is made; living ones keep their count. */
async function startNewCount({ tx, now, flow }: Step): Promise<void> {
  await sql`
    delete from passcode p using redemption_flow f
    where f.id = ${flow.id} and p.flow_id = f.id and (f.passcode_tries >= ${TRIES_PER_PASSCODE} or p.expires_at <= ${now})`.execute(
    tx.db,
  );
  await sql`
    update redemption_flow f set passcode_tries = 0
    where f.id = ${flow.id} and not exists (select from passcode p where p.flow_id = f.id)`.execute(tx.db);
}

/**
 * Counts the try, then compares.
 * @returns why it proves nothing, as a value: thrown inside the transaction it would take the count back.
 */
export async function provePasscode(step: Step, passcode: string): Promise<UserError | null> {
  const blocked = await checkFailures(step);
  if (blocked) return blocked;
  if (!(await countTry(step))) return refuse('TOO_MANY_ATTEMPTS');
  const match = await findMatch(step, passcode);
  if (!match) return rejectPasscode(step);
  if (match.usedAt || match.expiresAt <= step.now) return refuse('PASSCODE_EXPIRED');
  await sql`update passcode set used_at = ${step.now} where id = ${match.id}`.execute(step.tx.db);
  await recordProof(step, passcodeProof(step.offer.emailKey));
  return null;
}

async function checkFailures({ tx, now, flow }: Step): Promise<UserError | null> {
  const { rows } = await sql<{ window_started_at: Date }>`
    select window_started_at from passcode_failures
    where invitation_id = ${flow.invitationId} and link_version = ${flow.linkVersion}
      and wrong >= ${WRONG_PASSCODES_PER_LINK} and window_started_at > ${later(now, -FAILURE_WINDOW)}`.execute(tx.db);
  if (!rows[0]) return null;
  const ends = later(rows[0].window_started_at, FAILURE_WINDOW);
  return refuse('TOO_MANY_ATTEMPTS', { retryAfterSeconds: Math.ceil((ends.getTime() - now.getTime()) / 1000) });
}

async function countTry({ tx, flow }: Step): Promise<boolean> {
  const { rows } = await sql`
    update redemption_flow set passcode_tries = passcode_tries + 1
    where id = ${flow.id} and passcode_tries < ${TRIES_PER_PASSCODE} returning id`.execute(tx.db);
  return rows.length > 0;
}

interface StoredPasscode {
  id: string;
  codeHash: Buffer;
  expiresAt: Date;
  usedAt: Date | null;
}

/** Every code of the flow is compared, so that the time taken tells nothing of which one nearly fitted. */
async function findMatch({ ctx, tx, flow }: Step, passcode: string): Promise<StoredPasscode | undefined> {
  const { rows } = await sql<StoredPasscode>`
    select id, code_hash as "codeHash", expires_at as "expiresAt", used_at as "usedAt"
    from passcode where flow_id = ${flow.id} order by created_at desc`.execute(tx.db);
  const message = `${flow.id}/${normalPasscode(passcode)}`;
  return rows.filter((row) => ctx.secrets.verify('passcode', message, row.codeHash))[0];
}

/** People paste codes with blanks, and some keyboards write full-width digits. */
function normalPasscode(text: string): string {
  return text.normalize('NFKC').replace(/[\s-]/g, '');
}

async function rejectPasscode(step: Step): Promise<UserError> {
  const { tx, now, flow } = step;
  const windowStart = later(now, -FAILURE_WINDOW);
  await sql`
    insert into passcode_failures as known (invitation_id, link_version, tenant_id, window_started_at, wrong)
    values (${flow.invitationId}, ${flow.linkVersion}, ${flow.tenantId}, ${now}, 1)
    on conflict (invitation_id, link_version) do update set
      wrong = case when known.window_started_at > ${windowStart} then known.wrong + 1 else 1 end,
      window_started_at = case when known.window_started_at > ${windowStart} then known.window_started_at else ${now} end`.execute(
    tx.db,
  );
  const { rows } = await sql`
    select from redemption_flow where id = ${flow.id} and passcode_tries >= ${TRIES_PER_PASSCODE}`.execute(tx.db);
  if (rows.length > 0) await recordRefusal(step, 'TOO_MANY_ATTEMPTS');
  return refuse(flow.hasPasscode ? 'PASSCODE_WRONG' : 'PASSCODE_EXPIRED', { field: ['passcode'] });
}

/** The mail of a code that can still be entered and was not sent yet; null: there is nothing to send any more. */
export async function loadPasscodeMail(ctx: RequestContext, passcodeId: string): Promise<MailMessage | null> {
  const now = ctx.clock.now();
  const { rows } = await sql<Omit<PasscodeFacts, 'passcode' | 'logo'> & { sealedCode: Buffer; tenantId: string }>`
    select p.id as "passcodeId", p.sealed_code as "sealedCode", p.expires_at as "expiresAt", i.email, i.language,
      coalesce(u.display_name, i.display_name) as "guestName", t.display_name as "tenantName", p.tenant_id as "tenantId",
      t.accent_color as "accentColor", t.support_email as "supportEmail", t.privacy_statement_url as "privacyStatementUrl"
    from passcode p
    join redemption_flow f on f.id = p.flow_id
    join invitation i on i.id = f.invitation_id
    join external_user u on u.id = i.external_user_id
    join tenant t on t.id = i.tenant_id
    where p.id = ${passcodeId} and p.sealed_code is not null and p.expires_at > ${now} and f.expires_at > ${now}
      and f.link_version = i.link_version and i.status = 'PENDING' and i.expires_at > ${now}`.execute(ctx.db);
  const [found] = rows;
  if (!found) return null;
  const { sealedCode, tenantId, ...facts } = found;
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
