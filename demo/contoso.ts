/** Contoso, the tenant that invites: what its administrator sets up over GraphQL before the first invitation. */
import { randomBytes } from 'node:crypto';
import type { GraphqlClient } from './graphql-client.js';

export interface Contoso {
  id: string;
  appId: string;
}

/** What Fabrikam's provider and the gateway must agree on. */
export interface PartnerClient {
  clientId: string;
  clientSecret: string;
  redirectUri: string;
}

const USER_ERRORS = 'userErrors { code field message }';

/** The groups are those of `guests.csv`. */
export async function createContoso(graphql: GraphqlClient, appUrl: string): Promise<Contoso> {
  const { tenant } = await graphql.ask<{ tenant: { id: string } }>(
    `mutation ($input: CreateTenantInput!) { createTenant(input: $input) { tenant { id } ${USER_ERRORS} } }`,
    { input: { slug: 'contoso', displayName: 'Contoso' } },
  );
  const tenantId = tenant.id;
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
  const { app } = await graphql.ask<{ app: { id: string } }>(
    `mutation ($input: RegisterAppInput!) { registerApp(input: $input) { app { id } ${USER_ERRORS} } }`,
    { input: { tenantId, displayName: 'Orders', homePageUrl: appUrl } },
  );
  for (const displayName of ['Partners', 'Price Watch']) {
    await graphql.ask(
      `mutation ($input: CreateGroupInput!) { createGroup(input: $input) { group { id } ${USER_ERRORS} } }`,
      {
        input: { tenantId, displayName },
      },
    );
  }
  return { id: tenantId, appId: app.id };
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
