/** A tenant with one of everything, so that a test can ask for each thing from elsewhere. */

import { permissions, platformPermissions } from '../../src/kernel/actor.js';
import type { TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';
import { GuestBrowser, proveByPasscode } from '../web/guest-browser.js';

export interface PopulatedTenant {
  id: string;
  slug: string;
  /** May do everything in this tenant. */
  key: string;
  /** By the name an input calls it. */
  ids: Record<ForeignId, string>;
  redeemUrl: string;
}

export type ForeignId =
  | 'tenantId'
  | 'apiKeyId'
  | 'externalUserId'
  | 'groupId'
  | 'appId'
  | 'appAssignmentId'
  | 'identityProviderId'
  | 'partnerId'
  | 'roleAssignmentId'
  | 'invitationId'
  | 'bulkInviteId'
  | 'redemptionId'
  | 'sessionId';

export async function createPopulatedTenant(gateway: TestGateway): Promise<PopulatedTenant> {
  const { id: tenantId, slug } = await gateway.createTenant();
  const mine = permissions.filter((permission) => !platformPermissions.includes(permission));
  const { id: apiKeyId, secret: key } = await gateway.createKey({ tenantId, permissions: mine });
  /** The entity `what` of a mutation's payload. */
  const make = async (mutation: string, input: object, what: string): Promise<string> => {
    const type = `${mutation[0]?.toUpperCase()}${mutation.slice(1)}Input`;
    const document = `mutation ($input: ${type}!) { result: ${mutation}(input: $input) { ${what} { id } userErrors { code field message } } }`;
    return (await gateway.ask(document, { input }, { key })).result[what].id;
  };
  const groupId = await make('createGroup', { tenantId, displayName: 'Buyers' }, 'group');
  const appId = await make(
    'registerApp',
    {
      tenantId,
      displayName: 'Orders',
      homePageUrl: `https://${slug}.example/`,
      redirectUris: [`https://${slug}.example/callback`],
      roles: ['Buyer'],
    },
    'app',
  );
  const oidc = { issuer: `https://login.${slug}.example`, clientId: 'vestibule', clientSecret: 'a secret' };
  const identityProviderId = await make(
    'createIdentityProvider',
    { tenantId, kind: 'OIDC', displayName: 'Partner', domains: [`${slug}.test`], oidc },
    'identityProvider',
  );
  const partner = { tenantId, displayName: 'Partner', domains: [`${slug}.test`] };
  const partnerId = await make('createPartner', partner, 'partner');
  const roleAssignmentId = await make('assignRole', { tenantId, role: 'READER', appId }, 'roleAssignment');
  await gateway.ask(
    'mutation ($input: PublishTermsOfUseInput!) { publishTermsOfUse(input: $input) { userErrors { code field message } } }',
    { input: { tenantId, texts: [{ language: 'en', markdown: 'Be kind.' }] } },
    { key },
  );
  const email = 'ana@fabrikam.example';
  const grants = { appIds: [appId], groupIds: [groupId], landingAppId: appId };
  const { id: invitationId, redeemUrl, externalUserId } = await gateway.inviteUser({ tenantId, email, ...grants });
  await gateway.ask(
    'mutation ($input: GroupMembersInput!) { addGroupMembers(input: $input) { userErrors { code field message } } }',
    { input: { groupId, externalUserIds: [externalUserId] } },
  );
  const appAssignmentId = await make('assignApp', { appId, externalUserId }, 'appAssignment');
  const bulkInviteId = await make('bulkInvite', { tenantId, rows: [{ email: 'bo@fabrikam.example' }] }, 'bulkInvite');
  const redemptionId = await beginRedemption(gateway, redeemUrl);
  const sessionId = await signSomebodyIn(gateway, tenantId);
  await settle(gateway, tenantId);
  return {
    id: tenantId,
    slug,
    key,
    redeemUrl,
    ids: {
      tenantId,
      apiKeyId,
      externalUserId,
      groupId,
      appId,
      appAssignmentId,
      identityProviderId,
      partnerId,
      roleAssignmentId,
      invitationId,
      bulkInviteId,
      redemptionId,
      sessionId,
    },
  };
}

/** @returns the session of a guest who accepted in a browser. */
async function signSomebodyIn(gateway: TestGateway, tenantId: string): Promise<string> {
  const email = 'cy@fabrikam.example';
  const guest = await gateway.inviteUser({ tenantId, email });
  const browser = new GuestBrowser();
  await browser.submit(await proveByPasscode(gateway, browser, guest.redeemUrl, email), '/accept');
  const { node } = await gateway.ask(
    'query ($id: ID!) { node(id: $id) { ... on ExternalUser { sessions { nodes { id } } } } }',
    { id: guest.externalUserId },
  );
  return node.sessions.nodes[0].id;
}

async function beginRedemption(gateway: TestGateway, redeemUrl: string): Promise<string> {
  const { beginRedemption: begun } = await gateway.ask(
    'mutation ($token: String!) { beginRedemption(input: { token: $token }) { redemption { id } userErrors { code } } }',
    { token: new URL(redeemUrl).pathname.split('/').at(-1) },
    { key: null },
  );
  return begun.redemption.id;
}

/** Until no job is going to change the tenant any more. */
async function settle(gateway: TestGateway, tenantId: string): Promise<void> {
  await until(async () => {
    const [left] = await gateway.sql<{ work: number }>(
      `select (select count(*) from invitation where tenant_id = $1 and delivery = 'QUEUED')
        + (select count(*) from bulk_invite where tenant_id = $1 and status <> 'COMPLETED') as work`,
      [tenantId],
    );
    return Number(left?.work) === 0;
  }, 'mails sent and bulk invite done');
}

/** Everything stored for a tenant, table by table, except when its keys were last used. */
export async function dumpTenant(gateway: TestGateway, tenantId: string): Promise<Record<string, unknown[]>> {
  const tables = await gateway.sql<{ name: string }>(
    `select table_name as name from information_schema.columns where table_schema = 'public' and column_name = 'tenant_id' order by 1`,
  );
  const dump: Record<string, unknown[]> = {
    tenant: await gateway.sql('select * from tenant where id = $1', [tenantId]),
  };
  for (const { name } of tables) {
    const rows = await gateway.sql<{ row: unknown }>(
      `select to_jsonb(t) - 'last_used_at' as row from "${name}" t where tenant_id = $1 order by to_jsonb(t)::text`,
      [tenantId],
    );
    dump[name] = rows.map(({ row }) => row);
  }
  return dump;
}
