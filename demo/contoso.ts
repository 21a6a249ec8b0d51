/** Contoso, the tenant that invites: what is set up over GraphQL before the first invitation. */
import { randomBytes } from 'node:crypto';
import { permissions, platformPermissions } from '../src/kernel/actor.js';
import type { GraphqlClient } from './graphql-client.js';
import type { OrdersApp, Registration } from './orders-app.js';

export interface Tenant {
  id: string;
  /** Of its administrator: everything in this tenant, nothing beyond. */
  apiKey: string;
}

/** What Fabrikam's provider and the gateway must agree on. */
export interface PartnerClient {
  clientId: string;
  clientSecret: string;
  redirectUri: string;
}

const USER_ERRORS = 'userErrors { code field message }';

/** @param platform holds a key of all tenants. */
export async function createContoso(platform: GraphqlClient): Promise<Tenant> {
  const { tenant } = await platform.ask<{ tenant: { id: string } }>(
    `mutation ($input: CreateTenantInput!) { createTenant(input: $input) { tenant { id } ${USER_ERRORS} } }`,
    { input: { slug: 'contoso', displayName: 'Contoso' } },
  );
  const { secret } = await platform.ask<{ secret: string }>(
    `mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret ${USER_ERRORS} } }`,
    {
      input: {
        tenantId: tenant.id,
        name: 'Contoso admin',
        permissions: permissions.filter((permission) => !platformPermissions.includes(permission)),
      },
    },
  );
  return { id: tenant.id, apiKey: secret };
}

/** The app and the groups are those of `guests.csv`. @returns what the app has to know. */
export async function furnishContoso(
  graphql: GraphqlClient,
  tenantId: string,
  app: Pick<OrdersApp, 'url' | 'initiateLoginUrl' | 'redirectUri'>,
): Promise<Omit<Registration, 'issuer'>> {
  await graphql.ask(
    `mutation ($input: UpdateTenantBrandingInput!) { updateTenantBranding(input: $input) { tenant { id } ${USER_ERRORS} } }`,
    {
      input: {
        tenantId,
        accentColor: '#0b6e4f',
        supportEmail: 'support@contoso.example',
        privacyStatementUrl: 'https://contoso.example/privacy',
      },
    },
  );
  const registered = await graphql.ask<{ app: { clientId: string }; clientSecret: string }>(
    `mutation ($input: RegisterAppInput!) { registerApp(input: $input) { app { clientId } clientSecret ${USER_ERRORS} } }`,
    {
      input: {
        tenantId,
        displayName: 'Orders',
        homePageUrl: app.url,
        initiateLoginUrl: app.initiateLoginUrl,
        redirectUris: [app.redirectUri],
        postLogoutRedirectUris: [app.url],
      },
    },
  );
  for (const displayName of ['Partners', 'Price Watch']) {
    await graphql.ask(
      `mutation ($input: CreateGroupInput!) { createGroup(input: $input) { group { id } ${USER_ERRORS} } }`,
      { input: { tenantId, displayName } },
    );
  }
  return { clientId: registered.app.clientId, clientSecret: registered.clientSecret };
}

/** Whoever has an address at `fabrikam.example` proves it at Fabrikam's provider from now on. */
export async function trustFabrikam(
  graphql: GraphqlClient,
  tenantId: string,
  { issuer, gatewayUrl }: { issuer: string; gatewayUrl: string },
): Promise<PartnerClient> {
  const client = { clientId: 'contoso', clientSecret: randomBytes(32).toString('base64url') };
  const { identityProvider } = await graphql.ask<{ identityProvider: { id: string } }>(
    `mutation ($input: CreateIdentityProviderInput!) { createIdentityProvider(input: $input) { identityProvider { id } ${USER_ERRORS} } }`,
    {
      input: {
        tenantId,
        kind: 'OIDC',
        displayName: 'Fabrikam',
        domains: ['fabrikam.example'],
        oidc: { issuer, ...client },
      },
    },
  );
  return { ...client, redirectUri: `${gatewayUrl}/sign-in/callback/${identityProvider.id}` };
}
