/**
 * A guest's way through a proof: from an opened link to ACCEPTED, back in by signing in, to a further identity or another
 * address. Bound to what started it: a browser's cookie (hash kept), or, begun over
 * GraphQL, a bearer handle (hash kept). Holds the proof once given, so that accepting is a step of its own. 30 minutes.
 */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import {
  idColumn,
  integerColumn,
  jsonColumn,
  keyColumn,
  secretColumn,
  textArrayColumn,
  textColumn,
  timeColumn,
} from '../../database/columns.js';
import type { Language } from '../../kernel/languages.js';
import type { IdentityProviderKind } from '../external-users/identity.entity.js';

export const flowPurposes = ['REDEEM', 'SIGN_IN', 'LINK_IDENTITY', 'CHANGE_ADDRESS'] as const;
export type FlowPurpose = (typeof flowPurposes)[number];

/** Without an invitation a flow is never more than PROVEN; what it led to is a session, an identity, an address. */
export const redemptionStatuses = ['STARTED', 'PROVEN', 'REDEEMED', 'DECLINED'] as const;
export type RedemptionStatus = (typeof redemptionStatuses)[number];

export interface UnaddressedIdentity {
  kind: IdentityProviderKind;
  providerId: string;
  issuer: string;
  subject: string;
  displayName: string | null;
}

@Entity({ tableName: 'redemption_flow' })
export class GuestFlow {
  @PrimaryKey(idColumn())
  id!: string;

  @Property(idColumn())
  tenantId!: string;

  @Property({ ...textColumn(), default: 'REDEEM' })
  purpose!: FlowPurpose;

  /** Null unless the purpose is REDEEM, and then the four below are null. */
  @Property({ ...idColumn(), nullable: true })
  invitationId!: string | null;

  /** The link the flow began with; a resend makes it stale. */
  @Property({ ...integerColumn(), nullable: true })
  linkVersion!: number | null;

  /** The address under proof; of a provider's user, what routing goes by. */
  @Property({ ...textColumn(), nullable: true })
  email!: string | null;

  @Property({ ...keyColumn(), nullable: true })
  emailKey!: string | null;

  @Property({ ...textColumn(), nullable: true })
  language!: Language | null;

  /** Whom a passcode to this address would sign in, or who changes something of their own; null: nobody, and no mail goes. */
  @Property({ ...idColumn(), nullable: true })
  externalUserId!: string | null;

  /** In which the flow was begun; it goes with it. */
  @Property({ ...idColumn(), nullable: true })
  sessionId!: string | null;

  /** Path of ours to go on to. */
  @Property({ ...textColumn(), nullable: true })
  returnTo!: string | null;

  /** Exactly one of the two is set. */
  @Property({ ...secretColumn(), nullable: true })
  browserHash!: Buffer | null;

  @Property({ ...secretColumn(), nullable: true })
  handleHash!: Buffer | null;

  @Property(textColumn())
  status!: RedemptionStatus;

  @Property({ ...idColumn(), nullable: true })
  signInProviderId!: string | null;

  @Property({ ...secretColumn(), nullable: true })
  signInStateHash!: Buffer | null;

  /** state, nonce and code verifier, sealed; spent by the callback. */
  @Property({ ...secretColumn(), nullable: true })
  sealedSignIn!: Buffer | null;

  /** Wrong codes since the oldest living one was sent. */
  @Property(integerColumn())
  passcodeTries!: number;

  @Property({ ...timeColumn(), nullable: true })
  provenAt!: Date | null;

  @Property({ ...textColumn(), nullable: true })
  proofKind!: IdentityProviderKind | null;

  @Property({ ...idColumn(), nullable: true })
  proofProviderId!: string | null;

  @Property({ ...keyColumn(), nullable: true })
  proofIssuer!: string | null;

  @Property({ ...keyColumn(), nullable: true })
  proofSubject!: string | null;

  @Property({ ...textColumn(), nullable: true })
  proofDisplayName!: string | null;

  /** The address that the proof covers; null: it is of the identity alone. Not kept by an accept, which ends the flow. */
  @Property({ ...keyColumn(), nullable: true })
  proofEmailKey!: string | null;

  /**
   * Who signed in at the provider that routing entitles, where the provider does not vouch for addresses: a passcode sent to
   * the address completes the proof.
   */
  @Property({ ...jsonColumn(), nullable: true })
  unaddressedIdentity!: UnaddressedIdentity | null;

  /** How the person was authenticated so far, as a session will say it (RFC 8176). */
  @Property(textArrayColumn())
  amr!: string[];

  /** When a second factor was shown in this flow; null: none was. */
  @Property({ ...timeColumn(), nullable: true })
  secondFactorAt!: Date | null;

  @Property({ ...timeColumn(), nullable: true })
  sessionOpenedAt!: Date | null;

  /** Set when a provider vouched for another address than the invited one; shown on the mismatch page. */
  @Property({ ...textColumn(), nullable: true })
  mismatchedEmail!: string | null;

  @Property(timeColumn())
  createdAt!: Date;

  @Property(timeColumn())
  expiresAt!: Date;
}
