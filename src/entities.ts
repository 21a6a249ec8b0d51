/** Every table of the product on one page. */
import { Event } from './events/event.entity.js';
import { ApiKey } from './features/access/api-key.entity.js';
import { App } from './features/apps/app.entity.js';
import { AppAssignment } from './features/apps/app-assignment.entity.js';
import { AppLogo } from './features/apps/app-logo.entity.js';
import { BulkInvite } from './features/bulk-invites/bulk-invite.entity.js';
import { BulkInviteRow } from './features/bulk-invites/bulk-invite-row.entity.js';
import { CredentialTries } from './features/credentials/credential-tries.entity.js';
import { LocalPassword } from './features/credentials/local-password.entity.js';
import { Passkey } from './features/credentials/passkey.entity.js';
import { RecoveryCode } from './features/credentials/recovery-code.entity.js';
import { SpentChallenge } from './features/credentials/spent-challenge.entity.js';
import { Totp } from './features/credentials/totp.entity.js';
import { ExternalUser } from './features/external-users/external-user.entity.js';
import { Identity } from './features/external-users/identity.entity.js';
import { Group } from './features/groups/group.entity.js';
import { GroupMember } from './features/groups/group-member.entity.js';
import { EntraOrganization } from './features/identity-providers/entra-organization.entity.js';
import { IdentityProvider } from './features/identity-providers/identity-provider.entity.js';
import { IdentityProviderDomain } from './features/identity-providers/identity-provider-domain.entity.js';
import { SamlProvider } from './features/identity-providers/saml-provider.entity.js';
import { SpentSamlAssertion } from './features/identity-providers/spent-saml-assertion.entity.js';
import { Invitation } from './features/invitations/invitation.entity.js';
import { InvitationGrant } from './features/invitations/invitation-grant.entity.js';
import { MailRequest } from './features/invitations/mail-request.entity.js';
import { TenantMailCount } from './features/invitations/tenant-mail-count.entity.js';
import { RoleAssignment } from './features/operators/role-assignment.entity.js';
import { Partner } from './features/partners/partner.entity.js';
import { PartnerDomain } from './features/partners/partner-domain.entity.js';
import { SignInPolicyRecord } from './features/partners/sign-in-policy.entity.js';
import { GuestFlow } from './features/proving/flow.entity.js';
import { Passcode } from './features/proving/passcode.entity.js';
import { PasscodeFailures } from './features/proving/passcode-failures.entity.js';
import { GuestSession } from './features/sign-in/session.entity.js';
import { Tenant } from './features/tenants/tenant.entity.js';
import { TenantLogo } from './features/tenants/tenant-logo.entity.js';
import { TermsAcceptance } from './features/terms/terms-acceptance.entity.js';
import { TermsOfUse } from './features/terms/terms-of-use.entity.js';
import { TermsOfUseText } from './features/terms/terms-of-use-text.entity.js';
import { UnsubscribeFlow } from './features/unsubscriptions/unsubscribe-flow.entity.js';
import { UnsubscribedRecipient } from './features/unsubscriptions/unsubscribed-recipient.entity.js';
import { GatewayProcess } from './jobs/gateway-process.entity.js';
import { AppUse } from './openid-provider/app-use.entity.js';
import { OidcPayload } from './openid-provider/oidc-payload.entity.js';
import { SigningKey } from './openid-provider/signing-key.entity.js';
import { TenantSalt } from './openid-provider/tenant-salt.entity.js';
import { IdempotencyRecord } from './request/idempotency-record.entity.js';
import { RateCount } from './request/rate-count.entity.js';

export const entities = [
  Tenant,
  TenantLogo,
  ApiKey,
  ExternalUser,
  Identity,
  TermsOfUse,
  TermsOfUseText,
  TermsAcceptance,
  Group,
  GroupMember,
  App,
  AppLogo,
  AppAssignment,
  IdentityProvider,
  IdentityProviderDomain,
  EntraOrganization,
  SamlProvider,
  SpentSamlAssertion,
  SignInPolicyRecord,
  Partner,
  PartnerDomain,
  Invitation,
  InvitationGrant,
  MailRequest,
  TenantMailCount,
  BulkInvite,
  BulkInviteRow,
  GuestFlow,
  LocalPassword,
  Passkey,
  SpentChallenge,
  Totp,
  RecoveryCode,
  CredentialTries,
  Passcode,
  PasscodeFailures,
  GuestSession,
  UnsubscribedRecipient,
  UnsubscribeFlow,
  Event,
  IdempotencyRecord,
  RateCount,
  GatewayProcess,
  TenantSalt,
  SigningKey,
  OidcPayload,
  RoleAssignment,
  AppUse,
];
