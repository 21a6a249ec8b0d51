/**
 * Passkeys: made and asked for by WebAuthn (@simplewebauthn/server), for signing in and as a second factor. Each needs the
 * person (user verification), so that a passkey alone is two factors. What is signed is `challenges.ts`.
 */
import type {
  AuthenticationResponseJSON,
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
  RegistrationResponseJSON,
} from '@simplewebauthn/server';
import { sql } from 'kysely';
import { isUniqueViolation, type Tx } from '../../database/transaction.js';
import { MINUTE } from '../../kernel/clock.js';
import { refuse, type UserError } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import type { RequestContext } from '../../request/request-context.js';
import { isChallenge, newChallenge, spendChallenge } from './challenges.js';
import type { CredentialOwner } from './credential-owner.js';
import { unlinkUnusedLocalIdentity } from './local-identity.js';
import { passkeyLabel, readPasskeyAnswer } from './passkey.rules.js';
import { simpleWebAuthn } from './passkey-library.js';
import { findPasskey, type KnownPasskey, passkeysOf } from './passkeys.queries.js';
import type { RelyingParty } from './relying-party.js';

/** Of one user. */
const MAX_PASSKEYS = 20;
/** How long the browser lets the person look for theirs. */
const TIMEOUT = 5 * MINUTE;

/** What was made, verified; not kept yet. */
export interface NewPasskey {
  challenge: string;
  credentialId: string;
  publicKey: Buffer;
  counter: number;
  transports: string[];
  isSynced: boolean;
  label: string;
}

export interface UsedPasskey {
  passkeyId: string;
  externalUserId: string;
}

export class PasskeysService {
  readonly #party: RelyingParty;

  constructor(party: RelyingParty) {
    this.#party = party;
  }

  /** What the browser makes a passkey from; reads only. @param binding of the page that asks. */
  async creationOptions(
    ctx: RequestContext,
    owner: CredentialOwner,
    binding: string,
  ): Promise<PublicKeyCredentialCreationOptionsJSON> {
    const { generateRegistrationOptions } = await simpleWebAuthn();
    return generateRegistrationOptions({
      rpID: this.#party.id,
      rpName: owner.tenantName,
      userID: new Uint8Array(Buffer.from(owner.externalUserId)),
      userName: owner.email,
      userDisplayName: owner.displayName ?? owner.email,
      challenge: new Uint8Array(newChallenge(ctx, creation(binding))),
      excludeCredentials: await passkeysOf(ctx.db, owner.tenantId, owner.externalUserId),
      authenticatorSelection: { residentKey: 'preferred', userVerification: 'required' },
      timeout: TIMEOUT,
    });
  }

  /** @param answer the browser's, as JSON. @throws UserError PASSKEY_REFUSED. */
  async verifyNew(ctx: RequestContext, binding: string, answer: string, label: string): Promise<NewPasskey> {
    const response = readPasskeyAnswer<RegistrationResponseJSON>(answer);
    if (!response) throw refused('no answer of a browser');
    let challenge = '';
    const expectedChallenge = (given: string) => {
      challenge = given;
      return isChallenge(ctx, given, creation(binding));
    };
    const { verifyRegistrationResponse } = await simpleWebAuthn();
    const { registrationInfo } = await inOurWords(() =>
      verifyRegistrationResponse({ response, expectedChallenge, ...this.#expected() }),
    );
    if (!registrationInfo) throw refused('not verified');
    const { credential, credentialBackedUp: isSynced } = registrationInfo;
    const { id: credentialId, counter, transports = [] } = credential;
    const publicKey = Buffer.from(credential.publicKey);
    return { challenge, credentialId, publicKey, counter, transports, isSynced, label: passkeyLabel(label) };
  }

  /** @throws UserError PASSKEY_REFUSED when the answer was taken before, or the passkey is somebody's already. */
  async add(tx: Tx, { tenantId, externalUserId }: CredentialOwner, passkey: NewPasskey, now: Date): Promise<void> {
    if (!(await spendChallenge(tx, passkey.challenge, now))) throw refused('answered twice');
    const { credentialId, publicKey, counter, transports, isSynced, label } = passkey;
    try {
      const { numAffectedRows } = await sql`
        insert into passkey
          (id, tenant_id, external_user_id, credential_id, public_key, counter, transports, is_synced, label, created_at)
        select ${newId('Passkey')}, ${tenantId}, ${externalUserId}, ${credentialId}, ${publicKey}::bytea, ${counter}::bigint,
          ${transports}::text[], ${isSynced}::boolean, ${label}, ${now}::timestamptz
        where (select count(*) from passkey where external_user_id = ${externalUserId}) < ${MAX_PASSKEYS}`.execute(
        tx.db,
      );
      if (numAffectedRows !== 1n) throw refused(`more than ${MAX_PASSKEYS}`);
    } catch (error) {
      throw isUniqueViolation(error) ? refused('registered before') : error;
    }
  }

  /** @returns false: the user has none of this id. */
  async remove({ db }: Pick<Tx, 'db'>, externalUserId: string, passkeyId: string): Promise<boolean> {
    const { numAffectedRows } = await sql`
      delete from passkey where id = ${passkeyId} and external_user_id = ${externalUserId}`.execute(db);
    await unlinkUnusedLocalIdentity({ db }, externalUserId);
    return numAffectedRows === 1n;
  }

  /**
   * What the browser looks for; reads only.
   * @param externalUserId whose passkeys are named to it; null: a stranger's page, which names none, so that it tells nothing.
   */
  async requestOptions(
    ctx: RequestContext,
    tenantId: string,
    externalUserId: string | null,
    binding: string,
  ): Promise<PublicKeyCredentialRequestOptionsJSON> {
    const known = externalUserId === null ? [] : await passkeysOf(ctx.db, tenantId, externalUserId);
    const { generateAuthenticationOptions } = await simpleWebAuthn();
    return generateAuthenticationOptions({
      rpID: this.#party.id,
      challenge: new Uint8Array(newChallenge(ctx, request(binding))),
      ...(externalUserId !== null && { allowCredentials: known }),
      userVerification: 'required',
      timeout: TIMEOUT,
    });
  }

  /**
   * Spends the challenge and moves the counter on.
   * @param expected whose passkey it has to be; null: anybody's of the tenant.
   * @throws UserError PASSKEY_REFUSED, also for a passkey nobody knows.
   */
  async use(
    ctx: RequestContext,
    tenantId: string,
    expected: string | null,
    binding: string,
    answer: string,
  ): Promise<UsedPasskey> {
    const response = readPasskeyAnswer<AuthenticationResponseJSON>(answer);
    const passkey = response && (await findPasskey(ctx.db, tenantId, response.id));
    if (!passkey || (expected !== null && passkey.externalUserId !== expected)) throw refused('unknown passkey');
    const { challenge, newCounter } = await this.#verifyUse(ctx, response, passkey, request(binding));
    await ctx.transaction(tenantId, async (tx) => {
      const now = ctx.clock.now();
      const isFirst = await spendChallenge(tx, challenge, now);
      if (!isFirst || !(await moveCounter(tx, passkey.id, newCounter, now))) throw refused('used twice');
    });
    return { passkeyId: passkey.id, externalUserId: passkey.externalUserId };
  }

  async #verifyUse(
    ctx: RequestContext,
    response: AuthenticationResponseJSON,
    { credentialId, publicKey, counter, transports }: KnownPasskey,
    asked: string,
  ): Promise<{ challenge: string; newCounter: number }> {
    let challenge = '';
    const expectedChallenge = (given: string) => {
      challenge = given;
      return isChallenge(ctx, given, asked);
    };
    const credential = { id: credentialId, publicKey: new Uint8Array(publicKey), counter: Number(counter), transports };
    const { verifyAuthenticationResponse } = await simpleWebAuthn();
    const { verified, authenticationInfo } = await inOurWords(() =>
      verifyAuthenticationResponse({ response, expectedChallenge, credential, ...this.#expected() }),
    );
    if (!verified) throw refused('not verified');
    return { challenge, newCounter: authenticationInfo.newCounter };
  }

  #expected() {
    return { expectedOrigin: this.#party.origin, expectedRPID: this.#party.id, requireUserVerification: true };
  }
}

/** A counter that does not grow is a copy's; authenticators without one say 0 for ever. */
async function moveCounter({ db }: Tx, passkeyId: string, counter: number, now: Date): Promise<boolean> {
  const { numAffectedRows } = await sql`
    update passkey set counter = ${counter}, last_used_at = ${now}
    where id = ${passkeyId} and (counter < ${counter} or (counter = 0 and ${counter} = 0))`.execute(db);
  return numAffectedRows === 1n;
}

const creation = (binding: string): string => `create/${binding}`;
const request = (binding: string): string => `get/${binding}`;

/** The library throws what does not verify. */
async function inOurWords<T>(verify: () => Promise<T>): Promise<T> {
  try {
    return await verify();
  } catch (error) {
    throw refused(error instanceof Error ? error.message : 'not verified');
  }
}

function refused(detail: string): UserError {
  return refuse('PASSKEY_REFUSED', { detail });
}
