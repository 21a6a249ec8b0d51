import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fetchLogo } from '../../../src/features/tenants/tenant-logo.service.js';
import { systemActor } from '../../../src/kernel/actor.js';
import { RequestContext } from '../../../src/request/request-context.js';
import { startTestGateway, type TestGateway } from '../../support/gateway.js';

const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
const logoUrl = 'https://contoso.example/logo.png';

describe("a tenant's logo", () => {
  let gateway: TestGateway;
  let tenant: { id: string; slug: string };

  beforeAll(async () => {
    gateway = await startTestGateway();
    tenant = await gateway.createTenant();
    await gateway.ask(
      'mutation ($input: UpdateTenantBrandingInput!) { updateTenantBranding(input: $input) { tenant { branding { logoUrl } } userErrors { code } } }',
      { input: { tenantId: tenant.id, logoUrl } },
    );
  });
  afterAll(() => gateway.stop());

  /** What the job does, with the answer of the logo's host: the real client refuses everything this machine could serve. */
  const fetched = (body: Buffer, url = logoUrl) =>
    fetchLogo(
      new RequestContext(gateway.app.ground, systemActor('test')),
      async () => new Response(new Uint8Array(body)),
      {
        tenantId: tenant.id,
        logoUrl: url,
      },
    );
  const stored = () =>
    gateway.sql<{ hash: string; content_type: string }>('select hash, content_type from tenant_logo');

  it('is asked for by a job as soon as branding names it', async () => {
    const jobs = await gateway.sql('select from graphile_worker.jobs where key = $1', [`logo/${tenant.id}`]);
    expect(jobs).toHaveLength(1);
  });

  it.each(['<svg xmlns="http://www.w3.org/2000/svg"/>', '<html></html>', ''])(
    'is not taken when its bytes are no picture we accept: %s',
    async (body) => {
      await fetched(Buffer.from(body));
      expect(await stored()).toEqual([]);
    },
  );

  it('is not taken when branding has moved on to another address', async () => {
    await fetched(png, 'https://contoso.example/older.png');
    expect(await stored()).toEqual([]);
  });

  it('is served from our own origin, as what its bytes are, and travels inside of mails', async () => {
    await fetched(png);
    const [{ hash } = { hash: '' }] = await stored();
    const response = await fetch(`${gateway.url}/t/${tenant.slug}/logo/${hash}`);
    expect(response.headers.get('content-type')).toBe('image/png');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(Buffer.from(await response.arrayBuffer()).equals(png)).toBe(true);

    await gateway.inviteUser({ tenantId: tenant.id, email: 'ana@fabrikam.example' });
    const { mail } = await gateway.waitForMail('ana@fabrikam.example');
    expect(mail.html).toContain('src="cid:tenant-logo"');
    expect(mail.attachments).toMatchObject([
      { contentId: '<tenant-logo>', mimeType: 'image/png', disposition: 'inline' },
    ]);
  });

  it('is gone as soon as branding names none', async () => {
    await gateway.ask(
      'mutation ($input: UpdateTenantBrandingInput!) { updateTenantBranding(input: $input) { userErrors { code } } }',
      { input: { tenantId: tenant.id, logoUrl: null } },
    );
    expect(await stored()).toEqual([]);
  });
});
