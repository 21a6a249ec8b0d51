/** Services and the resolvers that offer them, built by plain calls: what the GraphQL schema consists of, on one page. */
import { NodeResolver } from './api/node.resolver.js';
import { ApiKeysResolver, TenantApiKeysResolver } from './features/access/api-keys.resolver.js';
import { ApiKeysService } from './features/access/api-keys.service.js';
import { ViewerResolver } from './features/access/viewer.resolver.js';
import {
  AppAssignmentListResolver,
  AppAssignmentsResolver,
  ExternalUserAppAssignmentsResolver,
} from './features/apps/app-assignments.resolver.js';
import { AppAssignmentsService } from './features/apps/app-assignments.service.js';
import { AppsResolver, TenantAppsResolver } from './features/apps/apps.resolver.js';
import { AppsService } from './features/apps/apps.service.js';
import {
  BulkInviteRowsResolver,
  BulkInvitesResolver,
  InvitationBulkInviteResolver,
  TenantBulkInvitesResolver,
} from './features/bulk-invites/bulk-invites.resolver.js';
import { BulkInvitesService } from './features/bulk-invites/bulk-invites.service.js';
import { CredentialsResolver } from './features/credentials/credentials.resolver.js';
import type { SecondFactorsService } from './features/credentials/second-factors.service.js';
import type { ReviewAccess } from './features/external-users/access-review.port.js';
import {
  ExternalUsersResolver,
  TenantExternalUsersResolver,
} from './features/external-users/external-users.resolver.js';
import { ExternalUsersService } from './features/external-users/external-users.service.js';
import { GroupMembersService } from './features/groups/group-members.service.js';
import { ExternalUserGroupsResolver, GroupsResolver, TenantGroupsResolver } from './features/groups/groups.resolver.js';
import { GroupsService } from './features/groups/groups.service.js';
import type { EntraOrganizations } from './features/identity-providers/entra-organizations.service.js';
import {
  IdentityProvidersResolver,
  SamlProvidersResolver,
  TenantIdentityProvidersResolver,
} from './features/identity-providers/identity-providers.resolver.js';
import { IdentityProvidersService } from './features/identity-providers/identity-providers.service.js';
import { SamlKeysResolver } from './features/identity-providers/saml-keys.resolver.js';
import { SamlKeysService } from './features/identity-providers/saml-keys.service.js';
import type { SamlProviders } from './features/identity-providers/saml-providers.service.js';
import { InvitationStatisticsResolver } from './features/invitations/invitation-statistics.resolver.js';
import {
  ExternalUserInvitationsResolver,
  InvitationsResolver,
  TenantInvitationsResolver,
} from './features/invitations/invitations.resolver.js';
import { InvitationsService } from './features/invitations/invitations.service.js';
import type { MailLimits } from './features/invitations/mail-limits.service.js';
import { requireRightOver } from './features/operators/right-over-user.service.js';
import { RolesResolver, TenantRolesResolver } from './features/operators/roles.resolver.js';
import { RolesService } from './features/operators/roles.service.js';
import { lockOutWarnings } from './features/partners/locked-out.queries.js';
import { PartnersResolver, TenantPartnersResolver } from './features/partners/partners.resolver.js';
import { PartnersService } from './features/partners/partners.service.js';
import { PoliciesResolver } from './features/partners/policies.resolver.js';
import { PoliciesService } from './features/partners/policies.service.js';
import { ExplainRedemptionResolver } from './features/redemption/explain-redemption.resolver.js';
import { RedemptionResolver } from './features/redemption/redemption.resolver.js';
import type { RedemptionService } from './features/redemption/redemption.service.js';
import {
  InvitationEventsResolver,
  RedemptionEventsResolver,
  TenantEventsResolver,
} from './features/redemption/redemption-events.resolver.js';
import { DeparturesService } from './features/sign-in/departures.service.js';
import { DirectUsersResolver } from './features/sign-in/direct-users.resolver.js';
import { DirectUsersService } from './features/sign-in/direct-users.service.js';
import { DirectoryResolver } from './features/sign-in/directory.resolver.js';
import { ResetRedemptionService } from './features/sign-in/reset-redemption.service.js';
import { ExternalUserSessionsResolver, SessionsResolver } from './features/sign-in/sessions.resolver.js';
import type { SessionsService } from './features/sign-in/sessions.service.js';
import type { TenantCache } from './features/tenants/tenant-cache.service.js';
import { TenantsResolver } from './features/tenants/tenants.resolver.js';
import { TenantsService } from './features/tenants/tenants.service.js';
import { TermsAcceptancesResolver, TermsResolver } from './features/terms/terms.resolver.js';
import { TermsService } from './features/terms/terms.service.js';
import { TenantUnsubscribedRecipientsResolver } from './features/unsubscriptions/unsubscriptions.resolver.js';

export interface ResolverParts {
  publicUrl: URL;
  allowPrivateProviders: boolean;
  saml: SamlProviders;
  organizations: EntraOrganizations;
  mailLimits: MailLimits;
  tenants: TenantCache;
  redemption: RedemptionService;
  secondFactors: SecondFactorsService;
  sessions: SessionsService;
  /** Ends what apps were given for people who may not use them any more. */
  reviewAccess: ReviewAccess;
}

export function createResolvers(parts: ResolverParts): object[] {
  const {
    publicUrl,
    allowPrivateProviders,
    saml,
    organizations,
    mailLimits,
    tenants,
    redemption,
    secondFactors,
    sessions,
    reviewAccess,
  } = parts;
  const invitations = new InvitationsService(mailLimits, publicUrl, tenants);
  const apiKeys = new ApiKeysService((ctx, tx, apiKeyId) => invitations.revokePendingOfKey(ctx, tx, apiKeyId));
  return [
    new NodeResolver(),
    new TenantsResolver(new TenantsService(tenants)),
    new ViewerResolver(),
    new ApiKeysResolver(apiKeys),
    new TenantApiKeysResolver(),
    new ExternalUsersResolver(
      new ExternalUsersService(async (tx, externalUserId) => {
        await sessions.endAllOf(tx, externalUserId, 'ACCOUNT_DISABLED');
        await reviewAccess(tx, { externalUserIds: [externalUserId] });
      }, requireRightOver),
    ),
    new TenantExternalUsersResolver(),
    new TermsResolver(new TermsService()),
    new TermsAcceptancesResolver(),
    new CredentialsResolver(secondFactors),
    new GroupsResolver(new GroupsService(reviewAccess), new GroupMembersService(reviewAccess)),
    new TenantGroupsResolver(),
    new ExternalUserGroupsResolver(),
    new AppsResolver(new AppsService(reviewAccess)),
    new TenantAppsResolver(),
    new AppAssignmentsResolver(new AppAssignmentsService(reviewAccess)),
    new AppAssignmentListResolver(),
    new RolesResolver(new RolesService()),
    new TenantRolesResolver(),
    new ExternalUserAppAssignmentsResolver(),
    new IdentityProvidersResolver(
      new IdentityProvidersService({ allowPrivateProviders, saml }),
      publicUrl,
      lockOutWarnings,
    ),
    new SamlKeysResolver(new SamlKeysService()),
    new SamlProvidersResolver(publicUrl),
    new TenantIdentityProvidersResolver(),
    new PartnersResolver(new PartnersService()),
    new TenantPartnersResolver(),
    new PoliciesResolver(new PoliciesService(tenants)),
    new InvitationsResolver(invitations),
    new TenantInvitationsResolver(),
    new ExternalUserInvitationsResolver(),
    new InvitationStatisticsResolver(),
    new TenantUnsubscribedRecipientsResolver(),
    new BulkInvitesResolver(new BulkInvitesService(), publicUrl),
    new BulkInviteRowsResolver(),
    new TenantBulkInvitesResolver(),
    new InvitationBulkInviteResolver(),
    new RedemptionResolver(redemption, publicUrl),
    new ExplainRedemptionResolver(organizations),
    new RedemptionEventsResolver(),
    new TenantEventsResolver(),
    new InvitationEventsResolver(),
    new DirectoryResolver(
      new DeparturesService(sessions, reviewAccess),
      new ResetRedemptionService({ sessions, reviewAccess, tenants, limits: mailLimits, publicUrl }),
    ),
    new DirectUsersResolver(new DirectUsersService(tenants), publicUrl),
    new SessionsResolver(sessions),
    new ExternalUserSessionsResolver(sessions),
  ];
}
