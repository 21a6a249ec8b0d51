/** What the routes of the pages share; made once by `pages.ts`. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AccountSecurityService } from '../features/credentials/account-security.service.js';
import type { FlowSecondFactorService } from '../features/credentials/flow-second-factor.service.js';
import type { LocalProofService } from '../features/credentials/local-proof.service.js';
import type { ProvingService } from '../features/proving/proving.service.js';
import type { RedemptionService } from '../features/redemption/redemption.service.js';
import type { AccountService } from '../features/sign-in/account.service.js';
import type { SessionsService } from '../features/sign-in/sessions.service.js';
import type { SignInService } from '../features/sign-in/sign-in.service.js';
import type { StepUpService } from '../features/sign-in/step-up.service.js';
import type { UnrequestedSignIn } from '../features/sign-in/unrequested-sign-in.service.js';
import type { UnsubscriptionsService } from '../features/unsubscriptions/unsubscriptions.service.js';
import type { RateLimits } from '../request/rate-limits.js';
import type { RequestContext } from '../request/request-context.js';
import type { BrowserCookie } from './browser-cookie.js';
import type { Setting } from './guest-pages.js';
import type { Page } from './page.js';
import type { SessionCookie } from './session-cookie.js';

/** What does the work behind the pages. */
export interface PageServices {
  proving: ProvingService;
  redemption: RedemptionService;
  signIn: SignInService;
  sessions: SessionsService;
  unrequestedSignIn: UnrequestedSignIn;
  unsubscriptions: UnsubscriptionsService;
  account: AccountService;
  accountSecurity: AccountSecurityService;
  stepUp: StepUpService;
  limits: RateLimits;
  localProof: LocalProofService;
  flowFactors: FlowSecondFactorService;
  publicUrl: URL;
}

export interface PageTools extends PageServices {
  browserCookie: BrowserCookie;
  sessionCookie: SessionCookie;
  context(request: FastifyRequest): RequestContext;
  setting(request: FastifyRequest): Setting;
  show(reply: FastifyReply, page: Page): FastifyReply;
}
