/** A partner organisation with a SAML provider of its own, known to a tenant as the one that vouches for its domain. */

import type { TestGateway } from '../support/gateway.js';
import { startTestSamlProvider, type TestSamlProvider } from '../support/saml-provider.js';

export interface SamlPartner {
  provider: TestSamlProvider;
  providerId: string;
  acsUrl: string;
}

export async function addSamlPartner(
  gateway: TestGateway,
  tenantId: string,
  domain: string,
  provider?: TestSamlProvider,
): Promise<SamlPartner> {
  const partner = provider ?? (await startTestSamlProvider({ clock: gateway.clock }));
  const data = await gateway.ask(
    `mutation ($input: CreateIdentityProviderInput!) {
      createIdentityProvider(input: $input) {
        identityProvider { id saml { serviceProviderMetadataUrl assertionConsumerServiceUrl } } userErrors { code field message }
      }
    }`,
    {
      input: {
        tenantId,
        kind: 'SAML',
        displayName: 'Fabrikam',
        domains: [domain],
        saml: { metadataUrl: partner.metadataUrl },
      },
    },
  );
  const { id, saml } = data.createIdentityProvider.identityProvider;
  partner.trust(await (await fetch(saml.serviceProviderMetadataUrl)).text());
  return { provider: partner, providerId: id, acsUrl: saml.assertionConsumerServiceUrl };
}
