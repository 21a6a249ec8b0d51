/** Keys that try to become more than they are, and credentials that are none. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DAY, HOUR, later } from '../../src/kernel/clock.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let tenantId: string;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenantId = (await gateway.createTenant()).id;
});
afterAll(() => gateway.stop());

async function createKey(by: string, input: object) {
  const { data, errors } = await gateway.gql(
    `mutation ($input: CreateApiKeyInput!) {
      createApiKey(input: $input) { apiKey { id } secret userErrors { code field } }
    }`,
    { input: { tenantId, name: 'made', permissions: ['TENANT_READ'], ...input } },
    { key: by },
  );
  return { ...data?.createApiKey, errors };
}

const viewer = (authorization?: string, path = '/graphql') =>
  fetch(gateway.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(authorization && { authorization }) },
    body: JSON.stringify({ query: '{ viewer { name } }' }),
  });

describe('a key that makes keys', () => {
  it('makes none that outlives it', async () => {
    const expiresAt = later(gateway.clock.now(), DAY).toISOString();
    const { secret } = await gateway.createKey({ tenantId, permissions: ['API_KEY_WRITE', 'TENANT_READ'], expiresAt });
    const refusal = { secret: null, userErrors: [{ code: 'INVALID', field: ['expiresAt'] }] };
    expect(await createKey(secret, {})).toMatchObject(refusal);
    expect(await createKey(secret, { expiresAt: later(new Date(expiresAt), 1).toISOString() })).toMatchObject(refusal);
    expect(await createKey(secret, { expiresAt })).toMatchObject({ secret: expect.any(String), userErrors: [] });
  });

  it('makes none of another tenant, of all tenants, or with one permission more', async () => {
    const { secret } = await gateway.createKey({ tenantId, permissions: ['API_KEY_WRITE', 'TENANT_READ'] });
    const other = await gateway.createTenant();
    for (const input of [
      { tenantId: other.id },
      { tenantId: null },
      { permissions: ['TENANT_READ', 'REDEEM_URL_READ'] },
      { permissions: ['TENANT_CREATE'] },
    ]) {
      const { apiKey, secret: made, userErrors } = await createKey(secret, input);
      expect([input, apiKey, made, userErrors.length > 0]).toEqual([input, null, null, true]);
    }
  });

  it('cannot end a key of all tenants', async () => {
    const platform = await gateway.createKey({ tenantId: null, permissions: ['TENANT_LIST'] });
    const { secret } = await gateway.createKey({ tenantId, permissions: ['API_KEY_WRITE'] });
    const { data } = await gateway.gql(
      'mutation ($input: ApiKeyIdInput!) { revokeApiKey(input: $input) { userErrors { code } } }',
      { input: { apiKeyId: platform.id } },
      { key: secret },
    );
    expect(data.revokeApiKey.userErrors).toEqual([{ code: 'NOT_FOUND' }]);
    expect((await viewer(`Bearer ${platform.secret}`)).status).toBe(200);
  });
});

describe('a credential', () => {
  it.each([
    ['another scheme', (key: string) => `Basic ${Buffer.from(`x:${key}`).toString('base64')}`],
    ['no scheme', (key: string) => key],
    ['another key behind it', (key: string) => `Bearer ${key}, Bearer ${key}`],
    ['a character missing', (key: string) => `Bearer ${key.slice(0, -1)}`],
    ['a character more', (key: string) => `Bearer ${key}A`],
    ['its letters in the other case', (key: string) => `Bearer ${key.toUpperCase()}`],
    ['no key at all', () => 'Bearer '],
    ['wildcards', () => 'Bearer %'],
    ['SQL', () => "Bearer ' or 1=1 --"],
  ])('with %s is none', async (_what, authorizationOf) => {
    expect((await viewer(authorizationOf(gateway.bootstrapKey))).status).toBe(401);
  });

  it('in the address, in a cookie or in the body counts for nothing', async () => {
    const key = encodeURIComponent(gateway.bootstrapKey);
    const answer = await viewer(undefined, `/graphql?authorization=Bearer%20${key}&access_token=${key}&api_key=${key}`);
    expect(await answer.json()).toMatchObject({ data: null, errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
    const byCookie = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', cookie: `authorization=Bearer ${gateway.bootstrapKey}` },
      body: JSON.stringify({ query: '{ viewer { name } }', access_token: gateway.bootstrapKey }),
    });
    expect(await byCookie.json()).toMatchObject({ data: null });
  });

  it.each(['bearer', 'BEARER', 'Bearer'])('may be written with the scheme %s', async (scheme) => {
    expect((await viewer(`${scheme} ${gateway.bootstrapKey}`)).status).toBe(200);
  });

  it('that was revoked or has expired is answered as one that never was', async () => {
    const expiring = await gateway.createKey({
      tenantId,
      permissions: ['TENANT_READ'],
      expiresAt: later(gateway.clock.now(), HOUR).toISOString(),
    });
    const revoked = await gateway.createKey({ tenantId, permissions: ['TENANT_READ'] });
    await gateway.ask('mutation ($input: ApiKeyIdInput!) { revokeApiKey(input: $input) { userErrors { code } } }', {
      input: { apiKeyId: revoked.id },
    });
    gateway.clock.advance(HOUR);
    const answers = [expiring.secret, revoked.secret, 'vst_never'].map(async (key) => {
      const answer = await viewer(`Bearer ${key}`);
      return [answer.status, await answer.text()];
    });
    expect(new Set((await Promise.all(answers)).map((each) => JSON.stringify(each))).size).toBe(1);
  });
});

describe('the link', () => {
  it('is in no answer to a key without REDEEM_URL_READ: not when inviting, resending, listing, following or in bulk', async () => {
    const key = await gateway.createKey({
      tenantId,
      permissions: ['INVITATION_WRITE', 'INVITATION_READ', 'EVENT_READ', 'TENANT_READ', 'EXTERNAL_USER_READ'],
    });
    const ask = (query: string, variables: object) => gateway.gql(query, variables, { key: key.secret });
    const payload = '{ redeemUrl warnings userErrors { message } invitation { id email events { nodes { detail } } } }';
    const invite = await ask(`mutation ($input: InviteUserInput!) { inviteUser(input: $input) ${payload} }`, {
      input: { tenantId, email: 'quiet@fabrikam.example' },
    });
    const invitationId = invite.data.inviteUser.invitation.id;
    const again = await ask(`mutation ($input: InviteUserInput!) { inviteUser(input: $input) ${payload} }`, {
      input: { tenantId, email: 'quiet@fabrikam.example' },
    });
    const resent = await ask(`mutation ($input: InvitationIdInput!) { resendInvitation(input: $input) ${payload} }`, {
      input: { invitationId },
    });
    const bulk = await ask(
      'mutation ($input: BulkInviteInput!) { bulkInvite(input: $input) { bulkInvite { id rows { nodes { email } } } userErrors { message } } }',
      { input: { tenantId, rows: [{ email: 'quiet2@fabrikam.example' }] } },
    );
    const listed = await ask(
      `query ($tenantId: ID!, $invitationId: ID!) {
        node(id: $invitationId) { ... on Invitation { id email deliveryError message } }
        tenant(id: $tenantId) { redemptionEvents { nodes { detail cursor } } invitations { nodes { id email } } }
      }`,
      { tenantId, invitationId },
    );
    const answers = JSON.stringify([invite, again, resent, bulk, listed]);
    const mail = await gateway.waitForMail('quiet@fabrikam.example', 2);
    const token = /\/redeem\/(\S+)/.exec(mail.mail.text ?? '')?.[1] ?? 'no link in the mail';
    expect(token.startsWith(invitationId)).toBe(true);
    expect(answers).not.toContain(token.split('.')[1]);
    expect(answers).not.toContain('/redeem/');
    expect([invite.data.inviteUser.redeemUrl, resent.data.resendInvitation.redeemUrl]).toEqual([null, null]);
  });
});
