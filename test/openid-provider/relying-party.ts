/** Apps as their developers write them: registered over GraphQL, speaking by openid-client. */
import * as client from 'openid-client';
import type { TestGateway } from '../support/gateway.js';

export interface TestApp {
  id: string;
  clientId: string;
  clientSecret: string;
}

export const HOME = 'https://orders.contoso.example/';
export const CALLBACK = 'https://orders.contoso.example/callback';

export async function registerApp(gateway: TestGateway, tenantId: string, input: object = {}): Promise<TestApp> {
  const data = await gateway.ask(
    `mutation ($input: RegisterAppInput!) {
      registerApp(input: $input) { app { id clientId } clientSecret userErrors { code field message } }
    }`,
    {
      input: {
        tenantId,
        displayName: `App ${Math.random()}`,
        homePageUrl: HOME,
        redirectUris: [CALLBACK],
        assignmentRequired: false,
        ...input,
      },
    },
  );
  return { ...data.registerApp.app, clientSecret: data.registerApp.clientSecret };
}

export function updateApp(gateway: TestGateway, appId: string, input: object) {
  return gateway.ask(
    'mutation ($input: UpdateAppInput!) { updateApp(input: $input) { app { id } userErrors { code field message } } }',
    { input: { appId, ...input } },
  );
}

export function issuerOf(gateway: TestGateway, slug: string): string {
  return `${gateway.url}/t/${slug}`;
}

export function discover(
  issuer: string,
  { clientId, clientSecret }: Pick<TestApp, 'clientId' | 'clientSecret'>,
  authentication: client.ClientAuth = client.ClientSecretBasic(clientSecret),
): Promise<client.Configuration> {
  return client.discovery(new URL(issuer), clientId, undefined, authentication, {
    execute: [client.allowInsecureRequests],
  });
}
