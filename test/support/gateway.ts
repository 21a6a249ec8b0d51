/**
 * A whole gateway for a test file: the composition root of production on a database of its own, with a real mail server
 * that keeps what it gets, and a clock that tests move. Tests come in through HTTP and sockets, as clients do.
 */
import { randomBytes } from 'node:crypto';
import { createClient } from 'graphql-ws';
import pg from 'pg';
import { pino } from 'pino';
import WebSocket from 'ws';
import { startApp } from '../../src/app.js';
import { loadConfig } from '../../src/config/config.js';
import type { Clock } from '../../src/kernel/clock.js';
import { type Log, silentLog } from '../../src/kernel/log.js';
import type { PaceTimes } from '../../src/mail/mail-pace.js';
import { createTestDatabase } from './postgres.js';
import { type ReceivedMail, startSmtpServer, type TestSmtpServer } from './smtp-server.js';
import { makeTemporaryDataDir } from './temporary-data-dir.js';
import { until } from './until.js';

/** Runs with real time from the real now; `advance` moves it ahead, never back. */
export class TestClock implements Clock {
  #ahead = 0;

  now(): Date {
    return new Date(Date.now() + this.#ahead);
  }

  advance(milliseconds: number): void {
    this.#ahead += milliseconds;
  }
}

export interface GatewayOptions {
  /** Over the defaults of a test gateway. */
  env?: Record<string, string>;
  log?: Log;
  smtp?: TestSmtpServer;
  /** How long mails wait for a mail server that is away. Default: shorter than in production. */
  mailPace?: PaceTimes;
  /** Of an existing database: a second process on it. */
  databaseUrl?: string;
}

/** Milliseconds. */
const quickPace: PaceTimes = { firstPause: 50, longestPause: 400, recovery: 60_000 };

export interface GraphqlAnswer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests read what they asked for
  data: any;
  errors?: { message: string; path?: (string | number)[]; extensions: { code: string } }[];
}

export type TestGateway = Awaited<ReturnType<typeof startTestGateway>>;

/** `TEST_LOG=debug npm test …` shows what the gateway says. */
function testLog(): Log {
  return process.env.TEST_LOG ? pino({ level: process.env.TEST_LOG }, pino.destination({ sync: true })) : silentLog;
}

export async function startTestGateway(options: GatewayOptions = {}) {
  const database = options.databaseUrl ? null : await createTestDatabase();
  const databaseUrl = options.databaseUrl ?? (database as { url: string }).url;
  const smtp = options.smtp ?? (await startSmtpServer());
  const bootstrapKey = randomBytes(24).toString('base64url');
  const clock = new TestClock();
  const config = loadConfig({
    PORT: '0',
    DATABASE_URL: databaseUrl,
    SECRET_KEYS: 'a-secret-of-the-tests-that-is-long-enough',
    SMTP_URL: smtp.url,
    MAIL_FROM: 'Vestibule <no-reply@vestibule.example>',
    BOOTSTRAP_API_KEY: bootstrapKey,
    ALLOW_PRIVATE_PROVIDERS: 'true',
    DATA_DIR: await makeTemporaryDataDir(),
    ...options.env,
  });
  const app = await startApp({ config, clock, log: options.log ?? testLog(), mailPace: options.mailPace ?? quickPace });
  const url = app.publicUrl.origin;
  const sql = new pg.Pool({ connectionString: databaseUrl, max: 2 });
  // Dropping the database may end a connection before the pool has.
  sql.on('error', () => undefined);

  const send = async (body: unknown, authorization?: string): Promise<GraphqlAnswer> => {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(authorization === undefined ? {} : { authorization }) },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return { status: response.status, ...((await response.json()) as Omit<GraphqlAnswer, 'status'>) };
  };

  const gateway = {
    app,
    url,
    databaseUrl,
    clock,
    smtp,
    bootstrapKey,
    /** Direct statements on the gateway's database. */
    sql: async <T extends object>(text: string, values: unknown[] = []): Promise<T[]> =>
      (await sql.query(text, values)).rows as T[],
    send,

    /** With the bootstrap key unless another is given; `key: null` sends no credential. */
    gql: (
      query: string,
      variables: object = {},
      { key = bootstrapKey }: { key?: string | null } = {},
    ): Promise<GraphqlAnswer> => send({ query, variables }, key === null ? undefined : `Bearer ${key}`),

    /** The data of a document that must succeed, userErrors included. */
    async ask(query: string, variables: object = {}, options: { key?: string | null } = {}) {
      const { data, errors } = await gateway.gql(query, variables, options);
      if (errors) throw new Error(`GraphQL errors: ${JSON.stringify(errors)}`);
      for (const payload of Object.values(data as Record<string, { userErrors?: object[] } | null>)) {
        if (payload?.userErrors?.length) throw new Error(`userErrors: ${JSON.stringify(payload.userErrors)}`);
      }
      return data;
    },

    async createTenant(input: object = {}): Promise<{ id: string; slug: string }> {
      const slug = `t${randomBytes(6).toString('hex')}`;
      const data = await gateway.ask(
        'mutation ($input: CreateTenantInput!) { createTenant(input: $input) { tenant { id slug } userErrors { code field message } } }',
        { input: { slug, displayName: `Tenant ${slug}`, ...input } },
      );
      return data.createTenant.tenant;
    },

    async createKey(input: {
      tenantId?: string | null;
      permissions: string[];
      name?: string;
      expiresAt?: string;
    }): Promise<{ id: string; secret: string }> {
      const data = await gateway.ask(
        'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { apiKey { id } secret userErrors { code field message } } }',
        { input: { name: 'test', ...input } },
      );
      return { id: data.createApiKey.apiKey.id, secret: data.createApiKey.secret };
    },

    async inviteUser(
      input: { tenantId: string; email: string } & Record<string, unknown>,
    ): Promise<{ id: string; redeemUrl: string; externalUserId: string }> {
      const data = await gateway.ask(
        `mutation ($input: InviteUserInput!) {
          inviteUser(input: $input) { invitation { id } externalUser { id } redeemUrl userErrors { code field message } }
        }`,
        { input },
      );
      const { invitation, externalUser, redeemUrl } = data.inviteUser;
      return { id: invitation.id, redeemUrl, externalUserId: externalUser.id };
    },

    /** Mails so far, to one address or to all. */
    mails: (to?: string): ReceivedMail[] =>
      smtp.received.filter(
        ({ envelope }) => !to || envelope.to.some((address) => address.toLowerCase() === to.toLowerCase()),
      ),

    /** Waits for the nth mail to an address. */
    waitForMail: (to: string, count = 1): Promise<ReceivedMail> =>
      until(() => gateway.mails(to)[count - 1], `mail ${count} to ${to}`),

    /** A socket client; dispose of it at the end of the test. */
    socket: (authorization = `Bearer ${bootstrapKey}`, onClosed: (event: unknown) => void = () => undefined) =>
      createClient({
        url: `${url.replace('http', 'ws')}/graphql`,
        webSocketImpl: WebSocket,
        connectionParams: { authorization },
        retryAttempts: 0,
        lazy: true,
        on: { closed: onClosed },
      }),

    async stop(): Promise<void> {
      await app.stop();
      await sql.end();
      if (!options.smtp) await smtp.stop();
      await database?.drop();
    },
  };
  return gateway;
}
