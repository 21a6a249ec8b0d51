/**
 * What ends when access ends: codes, tokens and grants, in the transaction that takes the access away; apps that want to be
 * told are told by a job. Tokens are asked about at each use besides (`account.ts`), so nothing here is what keeps people out.
 */
import { sql } from 'kysely';
import { addJobs, type NewJob } from '../database/add-job.js';
import type { Tx } from '../database/transaction.js';
import { recordEvents } from '../events/record-events.js';
import { ringAccessChanged } from '../features/access/access-channel.service.js';
import type { SigningAlgorithm, SubjectType } from '../features/apps/app.entity.js';
import type { AccessChange, ReviewAccess } from '../features/external-users/access-review.port.js';
import type { EndedSession, SessionEndListener } from '../features/sign-in/sessions.service.js';
import type { Clock } from '../kernel/clock.js';
import { hashToken, type Secrets } from '../kernel/secrets.js';
import { openPayload } from './payload-adapter.js';
import { sessionIdOf } from './session-adapter.js';

export const BACKCHANNEL_LOGOUT_TASK = 'send_backchannel_logout';

/** The app as it was when the access ended, to be told even if it is gone or disabled. */
export interface ToldApp {
  backchannelLogoutUrl: string;
  redirectUris: string[];
  signingAlgorithm: SigningAlgorithm;
  subjectType: SubjectType;
}

/** To one app: the session that ended there, or null for every session of the user. */
export interface BackchannelLogout {
  tenantId: string;
  appId: string;
  app: ToldApp;
  externalUserId: string;
  sid: string | null;
}

const toldApp = sql<ToldApp | null>`case when a.backchannel_logout_url is not null then jsonb_build_object(
  'backchannelLogoutUrl', a.backchannel_logout_url, 'redirectUris', a.redirect_uris,
  'signingAlgorithm', a.signing_algorithm, 'subjectType', a.subject_type) end`;

const actor = { kind: 'SYSTEM', displayName: 'OpenID Provider' } as const;

interface Lost {
  appId: string;
  externalUserId: string;
  /** Null: it does not want to be told. */
  app: ToldApp | null;
  /** The one the user came by; null: added without. */
  invitationId: string | null;
}

export function accessReview(clock: Clock): ReviewAccess {
  return async (tx, change) => {
    await ringAccessChanged(tx);
    const lost = await endLostAccess(tx, change);
    if (lost.length === 0) return;
    const tenantId = tx.tenantId as string;
    await addJobs(
      tx,
      lost.flatMap(({ app, appId, externalUserId }) =>
        app ? [logoutJob({ tenantId, appId, app, externalUserId, sid: null })] : [],
      ),
    );
    await recordEvents(
      tx,
      lost.flatMap(({ invitationId, appId }) =>
        invitationId === null
          ? []
          : [
              {
                type: 'ACCESS_ENDED',
                at: clock.now(),
                actor,
                invitationId,
                detail: `The access to the app ${appId} ended.`,
              },
            ],
      ),
    );
  };
}

async function endLostAccess(tx: Tx, { externalUserIds = [], appIds = [] }: AccessChange): Promise<Lost[]> {
  const { rows } = await sql<Lost>`
    with lost as materialized (
      select distinct p.app_id, p.external_user_id, ${toldApp} as app
      from oidc_payload p
      join external_user u on u.id = p.external_user_id
      join app a on a.id = p.app_id
      where p.tenant_id = ${tx.tenantId} and (p.external_user_id = any(${externalUserIds}) or p.app_id = any(${appIds}))
        and not (u.account_enabled and u.state = 'ACCEPTED' and a.enabled and (not a.assignment_required or exists (
          select from app_assignment s where s.app_id = a.id and (s.external_user_id = u.id
            or s.group_id in (select m.group_id from group_member m where m.external_user_id = u.id)))))
    ),
    gone as (
      delete from oidc_payload p using lost
      where p.tenant_id = ${tx.tenantId} and p.app_id = lost.app_id and p.external_user_id = lost.external_user_id
    )
    select app_id as "appId", external_user_id as "externalUserId", app,
      (select i.id from invitation i where i.external_user_id = lost.external_user_id and i.status = 'REDEEMED'
        order by i.redeemed_at desc limit 1) as "invitationId"
    from lost order by external_user_id, app_id`.execute(tx.db);
  return rows;
}

/** Somebody else may have been in the session: nothing that was given in it goes on. */
const suspicious: ReadonlySet<EndedSession['reason']> = new Set([
  'IDENTITY_UNLINKED',
  'SECOND_FACTOR_RESET',
  'PASSWORD_CHANGED',
]);

/** A session's end takes along what was given in it, except what an app may use while the guest is away. */
export function sessionEnd(secrets: Secrets): SessionEndListener {
  return async (tx, ended) => {
    for (const session of ended) await endSession(tx, secrets, session);
  };
}

async function endSession(tx: Tx, secrets: Secrets, session: EndedSession): Promise<void> {
  const { tenantId, externalUserId, reason } = session;
  const { rows } = await sql<{ sealed: Buffer }>`
    delete from oidc_payload
    where tenant_id = ${tenantId} and model = 'Session' and id_hash = ${hashToken(sessionIdOf(session))}
    returning sealed_payload as sealed`.execute(tx.db);
  const [row] = rows;
  if (!row) return;
  const { authorizations = {} } = openPayload(secrets, row.sealed, tenantId, 'Session');
  const grants = Object.values(authorizations).flatMap((given) =>
    (given.persistsLogout && !suspicious.has(reason)) || !given.grantId ? [] : [given.grantId],
  );
  await revokeGrants(tx, tenantId, grants);
  const sids = new Map(Object.entries(authorizations).map(([appId, { sid }]) => [appId, sid ?? null]));
  const told = await appsToTell(tx, tenantId, [...sids.keys()]);
  await addJobs(
    tx,
    told.map(({ appId, app }) => logoutJob({ tenantId, appId, app, externalUserId, sid: sids.get(appId) ?? null })),
  );
}

/** What is being asked of a guest stays: the sign-in that an app wants made anew ends the session before. */
async function revokeGrants(tx: Tx, tenantId: string, grantIds: string[]): Promise<void> {
  if (grantIds.length === 0) return;
  const hashes = grantIds.map(hashToken);
  await sql`
    delete from oidc_payload
    where tenant_id = ${tenantId} and model <> 'Interaction'
      and (grant_hash = any(${hashes}) or (model = 'Grant' and id_hash = any(${hashes})))`.execute(tx.db);
}

async function appsToTell(tx: Tx, tenantId: string, appIds: string[]): Promise<{ appId: string; app: ToldApp }[]> {
  const { rows } = await sql<{ appId: string; app: ToldApp }>`
    select a.id as "appId", ${toldApp} as app from app a
    where a.tenant_id = ${tenantId} and a.id = any(${appIds}) and a.backchannel_logout_url is not null
    order by a.id`.execute(tx.db);
  return rows;
}

function logoutJob(logout: BackchannelLogout): NewJob {
  const { appId, externalUserId, sid } = logout;
  const jobKey = `backchannel-logout/${appId}/${externalUserId}/${sid === null ? 'all' : hashToken(sid).toString('hex')}`;
  return { task: BACKCHANNEL_LOGOUT_TASK, payload: logout, jobKey, priority: 0 };
}
