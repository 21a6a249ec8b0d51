/** The raw limits of the OpenID Provider: node:http, pg and jose with the fewest statements that do the same, on the same tables. */
import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { generateKeyPair, SignJWT } from 'jose';
import pg from 'pg';

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
const { privateKey } = await generateKeyPair('ES256');
const hash = (value: string) => createHash('sha256').update(value).digest();
const token = () => randomBytes(32).toString('base64url');

const sign = (claims: object, audience: string, subject: string) =>
  new SignJWT({ ...claims })
    .setProtectedHeader({ alg: 'ES256', kid: 'raw' })
    .setIssuer('http://raw.example')
    .setAudience(audience)
    .setSubject(subject)
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(privateKey);

const one = async (name: string, statement: string, values: unknown[]) =>
  (await pool.query({ name, text: statement, values })).rows[0];

const findClient = (id: string) =>
  one('client', 'select tenant_id, client_secret_hash, redirect_uris from app where client_id = $1 and enabled', [id]);

const findUser = (userId: string, appId: string) =>
  one(
    'user',
    `select u.id, u.email, u.display_name as name,
      exists (select from app_assignment s where s.app_id = $2 and s.external_user_id = u.id) as assigned
    from external_user u where u.id = $1 and u.account_enabled`,
    [userId, appId],
  );

const keep = (tenantId: string, model: string, id: string, appId: string, userId: string) =>
  one(
    'keep',
    `insert into oidc_payload (tenant_id, model, id_hash, sealed_payload, app_id, external_user_id, expires_at)
    values ($1, $2, $3, $4, $5, $6, now() + interval '5 minutes')`,
    [tenantId, model, hash(id), randomBytes(300), appId, userId],
  );

const findKept = (model: string, id: string) =>
  one('kept', 'select tenant_id, app_id, external_user_id from oidc_payload where model = $1 and id_hash = $2', [
    model,
    hash(id),
  ]);

async function authenticated(form: URLSearchParams) {
  const client = await findClient(form.get('client_id') ?? '');
  if (!client?.client_secret_hash.equals(hash(form.get('client_secret') ?? ''))) throw new Error('invalid_client');
  return client;
}

async function clientCredentials(form: URLSearchParams): Promise<object> {
  await authenticated(form);
  const id = form.get('client_id') as string;
  return { access_token: await sign({ client_id: id }, `urn:app:${id}`, id), token_type: 'Bearer', expires_in: 300 };
}

async function authorize(url: URL, request: IncomingMessage): Promise<{ location: string }> {
  const session = await one(
    'session',
    'select id, tenant_id, external_user_id from guest_session where token_hash = $1 and ended_at is null',
    [hash(/=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1] ?? '')],
  );
  const appId = url.searchParams.get('client_id') as string;
  const client = await findClient(appId);
  const user = await findUser(session.external_user_id, appId);
  const [code, grant] = [token(), token()];
  await keep(session.tenant_id, 'Grant', grant, appId, user.id);
  await keep(session.tenant_id, 'Session', session.id + grant, appId, user.id);
  await keep(session.tenant_id, 'AuthorizationCode', code, appId, user.id);
  return { location: `${client.redirect_uris[0]}?code=${code}` };
}

async function exchange(form: URLSearchParams): Promise<object> {
  await authenticated(form);
  const code = form.get('code') as string;
  const kept = await findKept('AuthorizationCode', code);
  await one(
    'consume',
    'update oidc_payload set consumed_at = now() where model = $1 and id_hash = $2 and consumed_at is null',
    ['AuthorizationCode', hash(code)],
  );
  const user = await findUser(kept.external_user_id, kept.app_id);
  const [access, refresh] = [token(), token()];
  await keep(kept.tenant_id, 'AccessToken', access, kept.app_id, user.id);
  await keep(kept.tenant_id, 'RefreshToken', refresh, kept.app_id, user.id);
  return { access_token: access, refresh_token: refresh, id_token: await sign(user, kept.app_id, user.id) };
}

async function userinfo(request: IncomingMessage): Promise<object> {
  const kept = await findKept('AccessToken', (request.headers.authorization ?? '').slice('Bearer '.length));
  return findUser(kept.external_user_id, kept.app_id);
}

async function answer(request: IncomingMessage): Promise<object> {
  const url = new URL(request.url ?? '/', 'http://raw.example');
  if (url.pathname === '/authorize') return authorize(url, request);
  if (url.pathname === '/userinfo') return userinfo(request);
  if (url.pathname !== '/token') return {};
  const form = new URLSearchParams(await text(request));
  return form.get('grant_type') === 'client_credentials' ? clientCredentials(form) : exchange(form);
}

const server = createServer((request, response) => {
  answer(request).then(
    (body) => {
      if ('location' in body) response.writeHead(303, { location: String(body.location) }).end();
      else response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
    },
    (error: Error) => response.writeHead(500).end(error.message),
  );
});
server.listen(Number(process.env.PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
