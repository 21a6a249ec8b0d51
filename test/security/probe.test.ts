import net from 'node:net';
import { it } from '@jest/globals';
import { startTestGateway } from '../support/gateway.js';
import { Writable } from 'node:stream';
import { pino } from 'pino';

it('probe', async () => {
  const logged: string[] = [];
  const sink = new Writable({ write(c, _e, d) { logged.push(String(c)); d(); } });
  const g = await startTestGateway({ log: pino({ level: 'trace' }, sink) });
  const out: unknown[] = [];
  const raw = (text: string) => new Promise<string>((resolve) => {
    const s = net.connect(Number(new URL(g.url).port), '127.0.0.1'); let b = '';
    s.on('data', (c) => { b += c; }); s.on('close', () => resolve(b)); s.on('error', (e) => resolve(b + e));
    s.write(text); setTimeout(() => s.destroy(), 800);
  });
  try {
    const tenant = await g.createTenant();
    const guest = await g.inviteUser({ tenantId: tenant.id, email: 'a@fabrikam.example' });
    const path = new URL(guest.redeemUrl).pathname;
    for (const [m, p, extra] of [
      ['GET', '/', ''], ['GET', '/nope', 'Accept: text/html\r\n'], ['GET', '/%', ''], ['GET', '/redeem/%E0%A4%A', ''], ['GET', '//evil.example/redeem/x', ''],
      ['GET', '/redeem/../r/x', ''], ['GET', '/redeem/%2e%2e/x', ''], ['GET', 'http://evil.example' + path, ''], ['PUT', path, ''], ['DELETE', '/graphql', ''], ['GET', '/graphql', ''], ['GET', '/graphql?query={viewer{name}}', ''],
      ['HEAD', path, ''], ['GET', path + '/decline', 'Host: evil.example\r\nX-Forwarded-Host: evil.example\r\n'], ['GET', '/redeem/' + 'x'.repeat(3000), ''], ['GET', '/x' , 'X: ' + 'a'.repeat(20000) + '\r\n'],
      ['TRACE', '/', ''], ['GET', '/r/..%2f..%2f', ''], ['GET', '/assets/theme/%00.css', ''], ['GET', '/assets/', ''], ['GET', '/metrics', ''], ['OPTIONS', '/graphql', 'Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n'],
      ['GET', '/redeem/a%00b', ''], ['GET', '/redeem/', ''], ['GET', '/redeem', ''], ['GET', path + '/', ''], ['GET','/t/x/logo/y',''],
    ] as const) {
      const res = await raw(`${m} ${p} HTTP/1.1\r\n${extra.includes('Host') ? '' : 'Host: x\r\n'}${extra}Connection: close\r\n\r\n`);
      const [head = '', body = ''] = res.split('\r\n\r\n');
      out.push(`${m} ${p.slice(0, 60)} -> ${head.split('\r\n')[0]} | ${head.split('\r\n').slice(1).filter((l) => /^(content-type|location|cache-control|content-security|allow|x-content)/i.test(l)).join(' ; ').slice(0, 160)} | ${body.slice(0, 180)}`);
    }
    const post = async (body: unknown, headers: Record<string, string> = { authorization: `Bearer ${g.bootstrapKey}` }) => {
      const t = performance.now();
      const r = await fetch(`${g.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: typeof body === 'string' ? body : JSON.stringify(body) });
      const text = await r.text();
      return `${r.status} ${Math.round(performance.now() - t)}ms ${text.length} ${text.slice(0, 300)}`;
    };
    const deep = (n: number) => '['.repeat(n) + ']'.repeat(n);
    out.push('deep extra ' + await post(`{"query":"{viewer{name}}","variables":{"x":${deep(200000)}}}`));
    out.push('deep declared ' + await post(`{"query":"query($x:[ID!]!){nodes(ids:$x){id}}","variables":{"x":${deep(200000)}}}`));
    out.push('deep guest ' + await post(`{"query":"{viewer{name}}","variables":{"x":${deep(500000)}}}`, {}));
    out.push('deep ext ' + await post(`{"query":"{viewer{name}}","extensions":{"x":${deep(500000)}}}`, {}));
    const cur = (x: unknown) => Buffer.from(JSON.stringify(x)).toString('base64url');
    for (const c of [['CREATED_AT:DESC', '2020', 'x'], ['CREATED_AT:DESC', 'Jan 1 2020 (x)', 'x'], ['CREATED_AT:DESC', '2020-01-01T00:00:00.000Z', 'x\0'], ['CREATED_AT:DESC', '+275760-09-13T00:00:00.000Z', 'x'], ['CREATED_AT:DESC', '-200000-09-13T00:00:00.000Z', 'x']])
      out.push(JSON.stringify(c) + await post({ query: 'query($t:ID!,$c:String){tenant(id:$t){groups(first:1,after:$c){nodes{id}}}}', variables: { t: tenant.id, c: cur(c) } }));
    out.push('email cursor' + await post({ query: 'query($t:ID!,$c:String){tenant(id:$t){invitations(first:1,after:$c,orderBy:{field:EMAIL,direction:ASC}){nodes{id}}}}', variables: { t: tenant.id, c: cur(['EMAIL:ASC', 'x\0', 'x']) } }));
    out.push('feed cursor' + await post({ query: 'query($t:ID!,$c:String){tenant(id:$t){redemptionEvents(first:1,after:$c){nodes{id}}}}', variables: { t: tenant.id, c: cur(['EMAIL:ASC', 'x\0', 'x']) } }));
    out.push('rows cursor' + await post({ query: 'query($t:ID!){tenant(id:$t){bulkInvites{nodes{rows(first:1,after:"x"){nodes{email}}}}}}', variables: { t: tenant.id } }));
    for (const d of ['9999-12-31T23:59:59Z', '0000-01-01T00:00:00Z', '0001-01-01T00:00:00Z'])
      out.push(d + await post({ query: 'query($t:ID!,$d:DateTime){tenant(id:$t){invitationCounts(filter:{createdBefore:$d}){total}}}', variables: { t: tenant.id, d } }));
    out.push('timeline ' + await post({ query: 'query($t:ID!){tenant(id:$t){redemptionTimeline(from:"0000-01-01T00:00:00Z",to:"0000-01-02T00:00:00Z"){at}}}', variables: { t: tenant.id } }));
    out.push('key exp ' + await post({ query: 'mutation($i:CreateApiKeyInput!){createApiKey(input:$i){userErrors{code} apiKey{expiresAt}}}', variables: { i: { tenantId: tenant.id, name: 'x', permissions: ['TENANT_READ'], expiresAt: '9999-12-31T23:59:59Z' } } }));
    const big = 'x'.repeat(1_000_000);
    const many = (n: number, f: (i: number) => unknown) => Array.from({ length: n }, (_, i) => f(i));
    const m = (name: string, input: object, type = name[0]!.toUpperCase() + name.slice(1) + 'Input') => post({ query: `mutation($i:${type}!){${name}(input:$i){userErrors{code field}}}`, variables: { i: input } });
    out.push('idp domains ' + await m('createIdentityProvider', { tenantId: tenant.id, kind: 'OIDC', displayName: 'x', domains: many(200_000, (i) => `d${i}.example`), oidc: { issuer: 'https://x.example', clientId: 'x' } }));
    out.push('idp scopes ' + await m('createIdentityProvider', { tenantId: tenant.id, kind: 'OIDC', displayName: 'x', domains: [], oidc: { issuer: 'https://x.example', clientId: 'x', scopes: many(500_000, (i) => `s ${i}`) } }));
    out.push('roles ' + await m('registerApp', { tenantId: tenant.id, displayName: 'x', homePageUrl: 'https://a.example', redirectUris: [], roles: many(300_000, (i) => `r${i}`) }));
    out.push('uris ' + await m('registerApp', { tenantId: tenant.id, displayName: 'x2', homePageUrl: 'https://a.example', redirectUris: many(200_000, (i) => `x:${i}`), roles: [] }));
    out.push('owndomains ' + await m('updateTenant', { tenantId: tenant.id, ownDomains: many(300_000, (i) => `o${i}.example`) }));
    out.push('cc ' + await m('inviteUser', { tenantId: tenant.id, email: 'b@fabrikam.example', ccRecipients: many(500_000, (i) => `c${i}`) }));
    out.push('apps ' + await m('inviteUser', { tenantId: tenant.id, email: 'b@fabrikam.example', appIds: many(500_000, (i) => `c${i}`) }));
    for (const k of ['email', 'displayName', 'landingAppId', 'redirectUrl', 'message', 'inviterName', 'language', 'idempotencyKey'])
      out.push(`invite ${k} ` + await m('inviteUser', { tenantId: tenant.id, email: 'c@fabrikam.example', [k]: big }));
    out.push('search ' + await post({ query: 'query($t:ID!,$e:String){tenant(id:$t){invitations(filter:{emailContains:$e}){totalCount}}}', variables: { t: tenant.id, e: big } }));
    out.push('node ' + await post({ query: 'query($e:ID!){node(id:$e){id}}', variables: { e: big } }));
    out.push('slug ' + await post({ query: 'query($e:String){tenant(slug:$e){id}}', variables: { e: big } }));
    out.push('begin ' + await post({ query: 'mutation($e:String!){beginRedemption(input:{token:$e}){userErrors{code}}}', variables: { e: big } }, {}));
    out.push('bulk big ' + await m('bulkInvite', { tenantId: tenant.id, rows: [{ email: big, displayName: big, message: big }] }));
    out.push('bulk rows ' + await m('bulkInvite', { tenantId: tenant.id, rows: many(100_000, () => ({ email: 'x' })) }));
    out.push('bulk csv ' + await m('bulkInvite', { tenantId: tenant.id, csv: 'email\n' + 'x\n'.repeat(1_000_000) }));
    out.push('perms ' + await m('createApiKey', { tenantId: tenant.id, name: 'x', permissions: many(200_000, () => 'TENANT_READ') }));
    out.push('groupmembers ' + await m('addGroupMembers', { groupId: 'x', externalUserIds: many(200_000, () => 'x') }, 'GroupMembersInput'));
    out.push('desc ' + await m('createGroup', { tenantId: tenant.id, displayName: 'g', description: big }));
    out.push('support ' + await m('updateTenantBranding', { tenantId: tenant.id, supportEmail: big, logoUrl: `https://x.example/${big}` }));
    out.push('ids ' + await post({ query: 'query($t:ID!,$e:[ID!]){tenant(id:$t){redemptionEvents(filter:{invitationIds:$e}){totalCount}}}', variables: { t: tenant.id, e: many(300_000, (i) => `i${i}`) } }));
  } catch (e) { out.push(String((e as Error).stack)); }
  console.log(out.join('\n'));
  console.log(logged.filter((l) => /"level":(40|50|60)/.test(l)).map((l) => l.slice(0, 700)).join('').slice(0, 9000));
  await g.stop();
}, 240000);
