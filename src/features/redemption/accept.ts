/**
 * The accept: everything that was checked on the way is checked again under the lock, then the invitation is spent, the
 * person becomes an accepted user, and what the invitation grants becomes real, all in one transaction. Guests of a tenant
 * who accept at the same time are served by the same statements.
 */
import { sql } from 'kysely';
import { recordEvents } from '../../events/record-events.js';
import { refuse, UserError } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import type { RequestContext } from '../../request/request-context.js';
import { isSecondFactorDue } from '../credentials/second-factor.rules.js';
import type { IdentityProviderKind } from '../external-users/identity.entity.js';
import { isProven } from '../proving/flow.states.js';
import type { FlowKey } from '../proving/flows.queries.js';
import { openMethods } from '../proving/methods.queries.js';
import { checkPasscodeOffered, isEntitled, type Method, withoutLocal } from '../proving/methods.rules.js';
import { tryPasscodes } from '../proving/passcodes.service.js';
import { identityProven, passcodeProof, provenBy, recordPasscodeProof } from '../proving/proof.service.js';
import type { GuestEvent } from '../proving/proof-step.service.js';
import { type ConsentAnswer, checkConsent } from './consent.js';
import type { Flow } from './redemption.queries.js';
import { checkFlowOpen, type FlowView, flowIsOver, guestEvents, openSteps, type Step } from './steps.js';

export interface AcceptCommand {
  ctx: RequestContext;
  key: FlowKey;
  flow: Flow;
  passcode: string | null;
  answer: ConsentAnswer;
}

export interface Acceptance {
  step: Step;
  methods: Method[];
  /** By which the address was proven just now; null: it had been before. */
  passcodeId: string | null;
}

type Outcome = FlowView | UserError;

/**
 * Of one tenant. A refusal is an answer of its own guest; what was counted and proven for it stays.
 * @throws UserError when somebody else changed in the meantime what no lock holds: nothing is written for anyone.
 */
export async function acceptTogether(commands: readonly AcceptCommand[]): Promise<Outcome[]> {
  const outcomes = new Map<AcceptCommand, Outcome>();
  let left = commands;
  while (left.length > 0) {
    // Two browsers may want the same invitation: the second finds it as the first has left it.
    const round = [...new Map(left.toReversed().map((command) => [command.flow.invitationId, command])).values()];
    for (const [command, outcome] of await acceptDistinct(round)) outcomes.set(command, outcome);
    left = left.filter((command) => !outcomes.has(command));
  }
  return commands.map((command) => outcomes.get(command) ?? flowIsOver());
}

function acceptDistinct(commands: readonly AcceptCommand[]): Promise<Map<AcceptCommand, Outcome>> {
  const [{ ctx, flow }] = commands as [AcceptCommand];
  return ctx.transaction(flow.tenantId, async (tx) => {
    const outcomes = new Map<AcceptCommand, Outcome>();
    const steps = await openSteps(ctx, tx, commands);
    const emailKeys = [...steps.values()].map(({ offer }) => offer.emailKey);
    const methodsOf = await openMethods(tx.db, flow.tenantId, emailKeys);
    const open = commands.flatMap((command) => {
      const step = steps.get(command.flow.id);
      if (!step) return [];
      const acceptance: Acceptance = { step, methods: methodsOf(step.offer.emailKey), passcodeId: null };
      const refusal = refusalOf(() => checkOpen(acceptance, command));
      if (refusal) outcomes.set(command, refusal);
      else if (step.flow.status === 'REDEEMED') outcomes.set(command, viewOf(acceptance));
      return outcomes.has(command) ? [] : [{ command, acceptance }];
    });
    const tried = await tryPasscodes(open.flatMap(({ command, acceptance }) => passcodeTry(command, acceptance)));
    const accepted: Acceptance[] = [];
    for (const { command, acceptance } of open) {
      const outcome = tried.get(command.flow.id);
      if (outcome instanceof UserError) {
        outcomes.set(command, outcome);
        continue;
      }
      const proven = outcome === undefined ? acceptance : withPasscode(acceptance, outcome);
      const refusal = refusalOf(() => checkAcceptable(proven));
      if (refusal && proven.passcodeId) await recordPasscodeProof(acceptance.step, proven.passcodeId);
      if (!refusal) accepted.push(proven);
      outcomes.set(command, refusal ?? viewOf({ ...proven, step: redeemed(proven.step) }));
    }
    await writeAcceptances(accepted);
    return outcomes;
  });
}

function refusalOf(check: () => void): UserError | null {
  try {
    check();
    return null;
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
}

/** A second click in the same flow changes nothing and is no mistake. */
function checkOpen({ step, methods }: Acceptance, { passcode, answer }: AcceptCommand): void {
  if (step.flow.status === 'REDEEMED') return;
  checkFlowOpen(step);
  if (!step.offer.isAutomatic) checkConsent(step.offer, answer);
  if (passcode !== null && !isProven(step.flow, step.now)) checkPasscodeOffered(methods);
}

function passcodeTry({ passcode }: AcceptCommand, { step }: Acceptance) {
  return passcode === null || isProven(step.flow, step.now) ? [] : [{ step, passcode }];
}

function withPasscode({ step, methods }: Acceptance, passcodeId: string): Acceptance {
  const flow = provenBy(step.flow, passcodeProof(step.offer.emailKey), step.now);
  return { step: { ...step, flow }, methods, passcodeId };
}

/** What may have changed since the proof. */
export function checkAcceptable({ step: { flow, offer, now }, methods }: Acceptance): void {
  if (!isProven(flow, now)) throw refuse('PROOF_REQUIRED');
  const proof = { kind: flow.proofKind, providerId: flow.proofProviderId, issuer: flow.proofIssuer };
  if (!isEntitled(methods, proof)) throw refuse('PROOF_REQUIRED', { message: ROUTED_ELSEWHERE });
  if (isSecondFactorDue(flow, offer)) throw refuse('SECOND_FACTOR_REQUIRED', { message: SHOWN_IN_A_BROWSER });
  // A revoked key takes its open invitations along; one that merely expired does not.
  if (offer.inviterRevoked) throw refuse('INVITER_NOT_AUTHORIZED');
  // Its people are colleagues by now, and come in another way.
  if (offer.isOwnDomain) throw refuse('OWN_DOMAIN');
  if (!offer.accountEnabled) throw refuse('ACCOUNT_DISABLED');
}

const SHOWN_IN_A_BROWSER =
  'A second factor is asked for. It is shown in a browser: open the link of the invitation there.';
const ROUTED_ELSEWHERE = 'How this address signs in was changed in the meantime. Prove it once more.';

function redeemed(step: Step): Step {
  return { ...step, flow: { ...step.flow, status: 'REDEEMED' }, offer: { ...step.offer, status: 'REDEEMED' } };
}

function viewOf({ step: { flow, offer, now }, methods }: Acceptance): FlowView {
  return {
    flow,
    offer,
    methods: offer.hasLocalAccount ? methods : withoutLocal(methods),
    isProven: isProven(flow, now),
  };
}

export async function writeAcceptances(accepted: readonly Acceptance[]): Promise<void> {
  const [first] = accepted;
  if (!first) return;
  const { tx } = first.step;
  for (const written of await spendAndGrant(first.step, accepted)) {
    if (!written.spent) throw refuse('ALREADY_REDEEMED');
    if (!written.welcomed) throw refuse('ACCOUNT_DISABLED');
    if (!written.linked) throw refuse('IDENTITY_MISMATCH', { message: ANOTHER_GUESTS });
  }
  await recordEvents(
    tx,
    accepted.flatMap(({ step, passcodeId }) => guestEvents(step, factsOf(step, passcodeId !== null))),
  );
}

const ANOTHER_GUESTS = 'This account already belongs to another guest. Sign in with another one.';

function factsOf({ flow, offer: { terms, isAutomatic } }: Step, isNewlyProven: boolean): GuestEvent[] {
  const proven = isNewlyProven ? [identityProven(flow.proofKind as IdentityProviderKind)] : [];
  const agreed = terms && `Terms of use, version ${terms.version}.`;
  const detail = isAutomatic ? "Not asked: the partner's people are redeemed automatically." : agreed;
  return [...proven, { type: 'CONSENTED', ...(detail && { detail }) }, { type: 'REDEEMED' }];
}

interface Written {
  spent: boolean;
  welcomed: boolean;
  /** An identity belongs to one user of a tenant; nothing is merged silently. */
  linked: boolean;
}

async function spendAndGrant({ tx, now }: Step, accepted: readonly Acceptance[]): Promise<Written[]> {
  const column = <T>(of: (acceptance: Acceptance) => T): T[] => accepted.map(of);
  const grants = accepted.flatMap(({ step: { offer } }) =>
    offer.appGrants.map(({ appId, role }) => ({
      id: newId('AppAssignment'),
      appId,
      role,
      userId: offer.externalUserId,
    })),
  );
  const { rows } = await sql<Written>`
    with input as materialized (
      select * from unnest(
        ${column(({ step }) => step.flow.id)}::text[],
        ${column(({ step }) => step.flow.invitationId)}::text[],
        ${column(({ step }) => step.flow.linkVersion)}::int[],
        ${column(({ step }) => step.offer.externalUserId)}::text[],
        ${column(({ step }) => step.flow.provenAt?.toISOString())}::timestamptz[],
        ${column(({ step }) => step.flow.proofKind)}::text[],
        ${column(({ step }) => step.flow.proofProviderId)}::text[],
        ${column(({ step }) => step.flow.proofIssuer)}::text[],
        ${column(({ step }) => step.flow.proofSubject)}::text[],
        ${column(({ step }) => step.flow.proofDisplayName)}::text[],
        ${column(({ passcodeId }) => passcodeId)}::text[],
        ${column(() => newId('Identity'))}::text[],
        ${column(({ step }) => step.offer.terms?.version)}::int[],
        ${column(({ step }) => step.offer.terms?.language)}::text[],
        ${column(({ step }) => step.offer.terms?.hash)}::text[]
      ) as input (flow_id, invitation_id, link_version, user_id, proven_at, kind, provider_id, issuer, subject, display_name,
        passcode_id, identity_id, terms_version, terms_language, terms_hash)
    ),
    spent as (
      update invitation i set status = 'REDEEMED', redeemed_at = ${now}, consented_at = ${now},
        proven_at = coalesce(i.proven_at, ${now}), identity_provider_kind = input.kind
      from input
      where i.id = input.invitation_id and i.status = 'PENDING' and i.link_version = input.link_version and i.expires_at > ${now}
      returning i.id
    ),
    ended as (
      update redemption_flow f set status = 'REDEEMED', proven_at = input.proven_at, proof_kind = input.kind,
        proof_provider_id = input.provider_id, proof_issuer = input.issuer, proof_subject = input.subject,
        proof_display_name = input.display_name, mismatched_email = null
      from input where f.id = input.flow_id
    ),
    used as (
      update passcode p set used_at = ${now} from input where p.id = input.passcode_id
    ),
    welcomed as (
      update external_user u set state = 'ACCEPTED', display_name = coalesce(u.display_name, input.display_name),
        state_changed_at = case when u.state = 'ACCEPTED' then u.state_changed_at else ${now}::timestamptz end
      from input where u.id = input.user_id and u.account_enabled
      returning u.id
    ),
    linked as (
      insert into identity as known
        (id, tenant_id, external_user_id, identity_provider_id, issuer, subject, sign_in_type, linked_at)
      select identity_id, ${tx.tenantId}, user_id, provider_id, issuer, subject, kind, ${now} from input
      order by provider_id, issuer, subject
      on conflict (tenant_id, identity_provider_id, issuer, subject) do update set linked_at = known.linked_at
      returning external_user_id as owner
    ),
    agreed as (
      insert into terms_acceptance (tenant_id, external_user_id, version, language, hash, accepted_at)
      select ${tx.tenantId}, user_id, terms_version, terms_language, terms_hash, ${now} from input
      where terms_version is not null
      order by user_id
      on conflict (tenant_id, external_user_id, version) do nothing
    ),
    joined as (
      insert into group_member (group_id, external_user_id, tenant_id, created_at)
      select distinct g.group_id, input.user_id, g.tenant_id, ${now}::timestamptz
      from invitation_grant g join input on input.invitation_id = g.invitation_id
      where g.group_id is not null
      order by g.group_id, input.user_id
      on conflict (group_id, external_user_id) do nothing
    ),
    assigned as (
      insert into app_assignment (id, tenant_id, app_id, external_user_id, role, created_at)
      select granted.id, ${tx.tenantId}, granted.app_id, granted.user_id, granted.role, ${now}::timestamptz
      from unnest(${grants.map((grant) => grant.id)}::text[], ${grants.map((grant) => grant.appId)}::text[],
        ${grants.map((grant) => grant.userId)}::text[], ${grants.map((grant) => grant.role)}::text[]
      ) as granted (id, app_id, user_id, role)
      order by granted.app_id, granted.user_id, granted.role
      on conflict (app_id, external_user_id, group_id, role) do nothing
    )
    select exists (select from spent where spent.id = input.invitation_id) as spent,
      exists (select from welcomed where welcomed.id = input.user_id) as welcomed,
      exists (select from linked where linked.owner = input.user_id) as linked
    from input`.execute(tx.db);
  return rows;
}
