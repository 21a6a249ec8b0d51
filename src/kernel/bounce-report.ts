/** What a bounce says, in whatever form it came: the word between who reads it (`mail/`, `web/`) and who judges it (invitations). */

export interface BounceReport {
  /** Text in which the key of the mail may stand: where the bounce went to, the report, the head of the mail that came back. */
  evidence: string;
  recipients: BouncedRecipient[];
}

export interface BouncedRecipient {
  /** Where the mail was to go in the end, and whom it was first sent to (RFC 3464 sections 2.3.1 and 2.3.2). */
  addresses: string[];
  /** True: nobody tries any more. False: late, relayed, delivered, expanded. */
  isFinal: boolean;
  /** `5.1.1` (RFC 3463); null when none was given. */
  status: string | null;
}

/** What became of a report. */
export type BounceVerdict = { outcome: 'RECORDED' | 'KNOWN' } | { outcome: 'IGNORED'; reason: string };
