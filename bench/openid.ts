/** What apps pay at the OpenID Provider: a token for themselves, a guest's sign-in, and the first request to a tenant. */
import { createHash, randomBytes } from 'node:crypto';
import { Pool } from 'undici';
import { freePort } from '../src/database/embedded-process.js';
import { newId } from '../src/kernel/ids.js';
import { hashToken, randomToken } from '../src/kernel/secrets.js';
import { median } from './median.js';
import { startProcess, untilReady } from './processes.js';
import { onStage, type Stage } from './stage.js';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
const SECONDS = Number(process.env.BENCH_SECONDS ?? 4);
const IN_FLIGHT = 16;
const COLD_TENANTS = 50;
const CALLBACK = 'https://orders.contoso.example/callback';

interface Site {
  pool: Pool;
  paths: { authorize: string; token: string; userinfo: string };
  cookie: string;
  clientId: string;
  clientSecret: string;
}

/** @returns a Markdown table. */
export function measureOpenId(): Promise<string> {
  return onStage(async (stage) => {
    const port = await freePort();
    const raw = startProcess('bench/openid-raw.js', { DATABASE_URL: stage.databaseUrl, PORT: String(port) });
    const rawOrigin = `http://127.0.0.1:${port}`;
    await untilReady(`${rawOrigin}/ready`, raw);
    const pools = [new Pool(stage.origin, poolOptions), new Pool(rawOrigin, poolOptions)] as const;
    try {
      const client = await prepare(stage);
      await stage.client.query('analyze');
      const issuer = '/t/bench/oauth2';
      const paths = { authorize: `${issuer}/authorize`, token: `${issuer}/token`, userinfo: `${issuer}/userinfo` };
      const rawPaths = { authorize: '/authorize', token: '/token', userinfo: '/userinfo' };
      const ours: Site = { ...client, pool: pools[0], paths };
      const theirs: Site = { ...client, pool: pools[1], paths: rawPaths };
      const rows = [
        await compare(
          'client-credentials token, ES256 JWT, 16 in flight / `node:http` + jose',
          0.3,
          clientCredentials,
          ours,
          theirs,
        ),
        await compare(
          'authorize, token, userinfo of a signed-in guest / three bare handlers',
          0.25,
          signIn,
          ours,
          theirs,
        ),
      ];
      return [...head, ...rows, await measureCold(stage)].join('\n');
    } finally {
      await Promise.all([raw.stop(), ...pools.map((pool) => pool.close())]);
    }
  });
}

const poolOptions = { connections: IN_FLIGHT, pipelining: 1 };
const head = ['| what / raw limit | raw per s | ours per s | ratio | goal |', '| --- | ---: | ---: | ---: | ---: |'];

async function compare(what: string, goal: number, work: (site: Site) => Promise<void>, ours: Site, raw: Site) {
  const rounds: { raw: number; ours: number }[] = [];
  await perSecond(() => work(ours), 1);
  await perSecond(() => work(raw), 1);
  for (let round = 0; round < ROUNDS; round++) {
    rounds.push({ raw: await perSecond(() => work(raw), SECONDS), ours: await perSecond(() => work(ours), SECONDS) });
  }
  const ratio = median(rounds.map((round) => round.ours / round.raw));
  const rates = [median(rounds.map((round) => round.raw)), median(rounds.map((round) => round.ours))].map(Math.round);
  return `| ${what} | ${rates[0]} | ${rates[1]} | **${ratio.toFixed(2)}** | ${goal.toFixed(2)} |`;
}

async function perSecond(work: () => Promise<void>, seconds: number): Promise<number> {
  const began = performance.now();
  let done = 0;
  const loop = async () => {
    for (; performance.now() < began + seconds * 1000; done++) await work();
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, loop));
  return done / ((performance.now() - began) / 1000);
}

async function clientCredentials(site: Site): Promise<void> {
  const form = { grant_type: 'client_credentials', client_id: site.clientId, client_secret: site.clientSecret };
  const { access_token } = await post(site, form);
  if (!access_token) throw new Error('There is no token.');
}

async function signIn(site: Site): Promise<void> {
  const verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({
    client_id: site.clientId,
    redirect_uri: CALLBACK,
    response_type: 'code',
    scope: 'openid email',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const path = `${site.paths.authorize}?${query}`;
  const authorized = await site.pool.request({ method: 'GET', path, headers: { cookie: site.cookie } });
  await authorized.body.dump();
  const code = URL.parse(String(authorized.headers.location))?.searchParams.get('code');
  if (!code) throw new Error(`There is no code, but ${authorized.statusCode} ${authorized.headers.location}.`);
  const tokens = await post(site, {
    grant_type: 'authorization_code',
    client_id: site.clientId,
    client_secret: site.clientSecret,
    code,
    redirect_uri: CALLBACK,
    code_verifier: verifier,
  });
  const headers = { authorization: `Bearer ${tokens.access_token}` };
  const answer = await site.pool.request({ method: 'GET', path: site.paths.userinfo, headers });
  const { email } = (await answer.body.json()) as { email?: string };
  if (!email) throw new Error('Userinfo tells nothing.');
}

async function post(site: Site, form: Record<string, string>): Promise<Record<string, string>> {
  const response = await site.pool.request({
    method: 'POST',
    path: site.paths.token,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
  });
  return (await response.body.json()) as Record<string, string>;
}

/** An app and a guest with a session, as redeeming would leave them. */
async function prepare({ ask, client }: Stage): Promise<Omit<Site, 'pool' | 'paths'>> {
  const { createTenant } = await ask(
    'mutation ($input: CreateTenantInput!) { createTenant(input: $input) { tenant { id } } }',
    { input: { slug: 'bench', displayName: 'Bench' } },
  );
  const tenantId = createTenant.tenant.id as string;
  const { registerApp } = await ask(
    'mutation ($input: RegisterAppInput!) { registerApp(input: $input) { app { id clientId } clientSecret userErrors { code } } }',
    {
      input: {
        tenantId,
        displayName: 'Orders',
        homePageUrl: 'https://orders.contoso.example/',
        redirectUris: [CALLBACK],
        grantTypes: ['AUTHORIZATION_CODE', 'REFRESH_TOKEN', 'CLIENT_CREDENTIALS'],
        clientAuthentication: 'CLIENT_SECRET_POST',
      },
    },
  );
  const { inviteUser } = await ask(
    'mutation ($input: InviteUserInput!) { inviteUser(input: $input) { externalUser { id } } }',
    { input: { tenantId, email: 'ana@fabrikam.example', sendMail: false } },
  );
  const userId = inviteUser.externalUser.id as string;
  await ask('mutation ($input: AssignAppInput!) { assignApp(input: $input) { userErrors { code } } }', {
    input: { appId: registerApp.app.id, externalUserId: userId },
  });
  await client.query("update external_user set state = 'ACCEPTED' where id = $1", [userId]);
  const token = randomToken();
  await client.query(
    `insert into guest_session (id, tenant_id, external_user_id, token_hash, authenticated_at, amr, created_at, last_seen_at, expires_at)
    values ($1, $2, $3, $4, now(), '{otp}', now(), now(), now() + interval '1 day')`,
    [newId('Session'), tenantId, userId, hashToken(token)],
  );
  const cookie = `vestibule_s_${tenantId.slice(tenantId.indexOf('_') + 1)}=${token}`;
  return { cookie, clientId: registerApp.app.clientId, clientSecret: registerApp.clientSecret };
}

/** The first request to an issuer that the process does not hold, over the second one; its keys are made before. */
async function measureCold({ ask, client, origin }: Stage): Promise<string> {
  const slugs = Array.from({ length: COLD_TENANTS }, (_, n) => `cold-${n}`);
  for (const slug of slugs) {
    await ask('mutation ($input: CreateTenantInput!) { createTenant(input: $input) { tenant { id } } }', {
      input: { slug, displayName: slug },
    });
    await keysOf(origin, slug);
  }
  await client.query("select pg_notify('vestibule_issuer', '')");
  const more: number[] = [];
  for (const slug of slugs) {
    const cold = await keysOf(origin, slug);
    more.push(cold - (await keysOf(origin, slug)));
  }
  return `| first request to a tenant not in the cache, over a cached one (ms) | | **${median(more).toFixed(1)}** | | under 10 |`;
}

async function keysOf(origin: string, slug: string): Promise<number> {
  const began = performance.now();
  const response = await fetch(`${origin}/t/${slug}/oauth2/jwks`);
  await response.text();
  if (!response.ok) throw new Error(`${slug} answered ${response.status}.`);
  return performance.now() - began;
}
