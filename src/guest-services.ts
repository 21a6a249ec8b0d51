/** What guests go through, built by plain calls: proving, redeeming, signing in, their sessions and credentials. */
import type { Config } from './config/config.js';
import { AccountSecurityService } from './features/credentials/account-security.service.js';
import { FlowSecondFactorService } from './features/credentials/flow-second-factor.service.js';
import { LocalProofService } from './features/credentials/local-proof.service.js';
import { PasskeysService } from './features/credentials/passkeys.service.js';
import { PasswordHasher } from './features/credentials/password-hasher.js';
import { PasswordsService } from './features/credentials/passwords.service.js';
import { relyingPartyOf } from './features/credentials/relying-party.js';
import { SecondFactorsService } from './features/credentials/second-factors.service.js';
import type { EntraOrganizations } from './features/identity-providers/entra-organizations.service.js';
import type { MailLimits } from './features/invitations/mail-limits.service.js';
import { loadMethods } from './features/proving/methods.queries.js';
import { isLocalOffered } from './features/proving/methods.rules.js';
import { ObservedProving } from './features/proving/observed-proving.service.js';
import type { ProvingOptions } from './features/proving/proving.service.js';
import { ObservedRedemption } from './features/redemption/observed-redemption.service.js';
import { redemptionFactors } from './features/redemption/redemption.service.js';
import { SessionsService } from './features/sign-in/sessions.service.js';
import { SignInService } from './features/sign-in/sign-in.service.js';
import { signInFactors } from './features/sign-in/sign-in-factors.js';
import { StepUpService } from './features/sign-in/step-up.service.js';
import { UnrequestedSignIn } from './features/sign-in/unrequested-sign-in.service.js';
import { UnsubscriptionsService } from './features/unsubscriptions/unsubscriptions.service.js';
import type { Clock } from './kernel/clock.js';
import { RateLimits } from './request/rate-limits.js';
import type { Metrics } from './telemetry/metrics.js';

export interface GuestServicesOptions {
  config: Config;
  clock: Clock;
  publicUrl: URL;
  connectors: Pick<ProvingOptions, 'connectorFor' | 'formConnector'>;
  organizations: EntraOrganizations;
  mailLimits: MailLimits;
  observe: Metrics['observeRedemption'];
}

export function openGuestServices(options: GuestServicesOptions) {
  const { config, clock, publicUrl, connectors, organizations, mailLimits, observe } = options;
  const limits = new RateLimits(config.limits.guestStepsPerNetwork);
  const admitMail: ProvingOptions['admitMail'] = (ctx, scope, addressKey, isSent) =>
    mailLimits.admit(ctx, scope, addressKey, [], isSent);
  const proving = new ObservedProving(observe, limits, {
    ...connectors,
    admitMail,
    publicUrl,
    organizations,
  });
  const redemption = new ObservedRedemption(observe, limits, proving);
  const sessions = new SessionsService({ ...config.sessions, clock });
  const signIn = new SignInService(proving, sessions);
  const secondFactors = new SecondFactorsService((tx, externalUserId) =>
    sessions.endAllOf(tx, externalUserId, 'SECOND_FACTOR_RESET'),
  );
  const passkeys = new PasskeysService(relyingPartyOf(publicUrl));
  const stepUp = new StepUpService({ sessions, secondFactors, passkeys });
  const passwords = new PasswordsService(new PasswordHasher());
  const localProof = new LocalProofService({ proving, passwords, passkeys });
  const flowFactors = new FlowSecondFactorService({ secondFactors, passkeys });
  flowFactors.addGround('REDEEM', redemptionFactors);
  flowFactors.addGround('SIGN_IN', signInFactors);
  const accountSecurity = new AccountSecurityService({
    passwords,
    passkeys,
    secondFactors,
    holdSession: (tx, visitor) => sessions.hold(tx, visitor),
    endOtherSessions: (tx, visitor) => sessions.endOthersThan(tx, visitor, 'PASSWORD_CHANGED'),
    offersLocalAccount: async (db, address) => isLocalOffered(await loadMethods(db, address)),
  });
  return {
    limits,
    proving,
    redemption,
    sessions,
    signIn,
    secondFactors,
    stepUp,
    localProof,
    flowFactors,
    accountSecurity,
    unrequestedSignIn: new UnrequestedSignIn(connectors.formConnector, limits),
    unsubscriptions: new UnsubscriptionsService(mailLimits, limits),
  };
}
