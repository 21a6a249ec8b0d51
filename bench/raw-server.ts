/** The raw limits: node:http and pg with the fewest statements that do the job, on the gateway's own tables. */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import pg from 'pg';

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });

await pool.query(
  'create table if not exists raw_invitation (id uuid primary key, email text not null, created_at timestamptz not null)',
);

await pool.query(
  'create table if not exists raw_acceptance (id uuid primary key, status text not null, accepted_at timestamptz)',
);

async function insertOne(body: string): Promise<object> {
  const { email } = JSON.parse(body) as { email: string };
  const id = randomUUID();
  await pool.query({ name: 'insert', text: 'insert into raw_invitation values ($1, $2, now())', values: [id, email] });
  return { id };
}

async function acceptOne(body: string): Promise<object> {
  const { id } = JSON.parse(body) as { id: string };
  const { rowCount } = await pool.query({
    name: 'accept',
    text: `update raw_acceptance set status = 'REDEEMED', accepted_at = now() where id = $1 and status = 'PENDING'`,
    values: [id],
  });
  if (rowCount !== 1) throw new Error('It was accepted already.');
  return { id, status: 'REDEEMED' };
}

/** Fifty invitations with user, groups and apps: three flat statements, joined here. */
async function listFifty(body: string): Promise<object> {
  const { tenantId } = JSON.parse(body) as { tenantId: string };
  const invitations = await pool.query({
    name: 'list',
    text: `select i.id, i.email, i.status, i.delivery, i.created_at as "createdAt", i.expires_at as "expiresAt", i.language, i.send_count as "sendCount",
        u.id as "userId", u.email as "userEmail", u.display_name as "displayName", u.state
      from invitation i join external_user u on u.id = i.external_user_id
      where i.tenant_id = $1 order by i.created_at desc, i.id desc limit 50`,
    values: [tenantId],
  });
  const ids = invitations.rows.map((row) => row.id);
  const [groups, apps] = await Promise.all([
    pool.query({
      name: 'groups',
      text: 'select g.invitation_id, t.id, t.display_name as "displayName" from invitation_grant g join user_group t on t.id = g.group_id where g.invitation_id = any($1)',
      values: [ids],
    }),
    pool.query({
      name: 'apps',
      text: 'select g.invitation_id, t.id, t.display_name as "displayName" from invitation_grant g join app t on t.id = g.app_id where g.invitation_id = any($1)',
      values: [ids],
    }),
  ]);
  const groupsOf = Map.groupBy(groups.rows, (row) => row.invitation_id);
  const appsOf = Map.groupBy(apps.rows, (row) => row.invitation_id);
  return {
    nodes: invitations.rows.map(({ userId, userEmail, displayName, state, ...row }) => ({
      ...row,
      externalUser: { id: userId, email: userEmail, displayName, state },
      groups: (groupsOf.get(row.id) ?? []).map(({ id, displayName }) => ({ id, displayName })),
      apps: (appsOf.get(row.id) ?? []).map(({ id, displayName }) => ({ id, displayName })),
    })),
  };
}

const handlers: Record<string, (body: string) => Promise<object>> = {
  '/insert': insertOne,
  '/accept': acceptOne,
  '/list': listFifty,
  '/ready': async () => ({}),
};

const server = createServer((request, response) => {
  text(request)
    .then((body) => handlers[request.url ?? '']?.(body) ?? {})
    .then(
      (answer) => response.setHeader('content-type', 'application/json').end(JSON.stringify(answer)),
      (error: Error) => response.writeHead(500).end(error.message),
    );
});
server.listen(Number(process.env.PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
