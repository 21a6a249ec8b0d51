/** A partner organisation with an OpenID Connect provider of its own, known to a tenant as the one that vouches for its domain. */

import type { TestGateway } from '../support/gateway.js';
import { startTestOpenIdProvider, type TestOpenIdProvider } from '../support/openid-provider.js';

export interface Partner {
  provider: TestOpenIdProvider;
  providerId: string;
}

export async function addPartner(
  gateway: TestGateway,
  tenantId: string,
  domain: string,
  displayName = 'Fabrikam',
): Promise<Partner> {
  const client = {
    clientId: 'vestibule',
    clientSecret: 'a-secret-between-two-organisations',
    redirectUris: ['https://unused.example'],
  };
  const provider = await startTestOpenIdProvider({ clients: [client] });
  const oidc = { issuer: provider.issuer, clientId: client.clientId, clientSecret: client.clientSecret };
  const data = await gateway.ask(
    `mutation ($input: CreateIdentityProviderInput!) {
      createIdentityProvider(input: $input) { identityProvider { id } userErrors { code field message } }
    }`,
    { input: { tenantId, kind: 'OIDC', displayName, domains: [domain], oidc } },
  );
  const providerId: string = data.createIdentityProvider.identityProvider.id;
  client.redirectUris.splice(0, 1, `${gateway.url}/sign-in/callback/${providerId}`);
  return { provider, providerId };
}
