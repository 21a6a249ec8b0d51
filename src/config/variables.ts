/**
 * Every environment variable, declared once: the parser (`config.ts`) and the page docs/configuration.md are both made from
 * this table. Rules that concern one variable stand in its schema, rules between variables in `config.ts`.
 */
import { z } from 'zod';
import {
  cidrs,
  flag,
  fraction,
  headers,
  integer,
  mailbox,
  origin,
  port,
  returnPath,
  secret,
  secretList,
  text,
  urlOf,
} from './variable-types.js';

interface Declaration<T, Default extends string | null> {
  schema: z.ZodType<T, string>;
  /** Text used when the variable is absent or empty; null: the value is null then. */
  default: Default;
  /** What the page shows as default where there is no text, or where the text does not tell all. */
  shownDefault?: string;
  unit?: string;
  /** Never shown: neither in messages nor in logs. */
  secret?: true;
  meaning: string;
}

function variable<T, Default extends string | null>(declaration: Declaration<T, Default>): Declaration<T, Default> {
  return declaration;
}

/** Of the OpenTelemetry specification. */
const samplers = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;

export const variables = {
  HOST: variable({ schema: text, default: '127.0.0.1', meaning: 'Address to listen on. `0.0.0.0` or `::` for all.' }),
  PORT: variable({ schema: port, default: '4000', meaning: 'Port to listen on. 0: the operating system chooses one.' }),
  PUBLIC_URL: variable({
    schema: origin,
    default: null,
    shownDefault: 'http://localhost:<PORT>',
    meaning:
      'Where browsers reach the gateway; every link is built from it. Scheme and host only; `http` only for localhost and loopback addresses.',
  }),
  TRUSTED_PROXIES: variable({
    schema: cidrs,
    default: '',
    shownDefault: 'none',
    meaning: 'CIDRs, separated by commas, of the reverse proxies whose forwarding headers count.',
  }),
  DATABASE_URL: variable({
    schema: urlOf('postgresql', 'postgres'),
    default: null,
    shownDefault: 'embedded PostgreSQL in DATA_DIR',
    secret: true,
    meaning:
      'PostgreSQL 15 or later. A pooler in front of it must work in session mode. With it, SECRET_KEYS, SMTP_URL and MAIL_FROM are required.',
  }),
  DATABASE_POOL_SIZE: variable({
    schema: integer(2, 200),
    default: '10',
    unit: 'connections',
    meaning: 'The most connections one process opens for requests.',
  }),
  DATA_DIR: variable({
    schema: text,
    default: './data',
    meaning:
      'Directory for the embedded database and for secrets made up at the first start. Keep it, and keep it private.',
  }),
  SECRET_KEYS: variable({
    schema: secretList,
    default: null,
    shownDefault: 'made up once and kept in DATA_DIR/secret-keys',
    secret: true,
    meaning:
      'Secrets of at least 32 characters, separated by commas. The first one signs and seals, the others still open what they made. Required with DATABASE_URL.',
  }),
  SMTP_URL: variable({
    schema: urlOf('smtp', 'smtps'),
    default: null,
    shownDefault: 'development mailbox',
    secret: true,
    meaning: 'Mail server, such as `smtps://user:password@mail.example.com:465`. Required with DATABASE_URL.',
  }),
  SMTP_MAX_CONNECTIONS: variable({
    schema: integer(1, 100),
    default: '5',
    unit: 'connections',
    meaning: 'The most connections one process opens to the mail server.',
  }),
  MAIL_FROM: variable({
    schema: mailbox,
    default: null,
    shownDefault: 'Vestibule <no-reply@vestibule.example>',
    meaning: 'Sender of every mail, such as `Example <no-reply@example.com>`. Required with SMTP_URL.',
  }),
  MAIL_RETURN_PATH: variable({
    schema: returnPath,
    default: null,
    shownDefault: 'the address of MAIL_FROM',
    meaning:
      'Where bounces go, such as `bounces+*@example.com`: the envelope sender. The `*` becomes the key of each mail, by which a bounce is recognised.',
  }),
  BOUNCE_HOOK_SECRET: variable({
    schema: secretList,
    default: null,
    shownDefault: 'no hook',
    secret: true,
    meaning:
      'Opens `POST /mail/bounces` for requests signed with it: one secret of at least 32 characters, or several separated by commas while it is changed.',
  }),
  BOUNCE_IMAP_URL: variable({
    schema: urlOf('imaps', 'imap'),
    default: null,
    shownDefault: 'no mailbox is read',
    secret: true,
    meaning:
      'Mailbox that bounces come to, such as `imaps://user:password@imap.example.com/INBOX`. One of its own: what was read there is marked as seen.',
  }),
  MAILBOX_SMTP_PORT: variable({
    schema: port,
    default: '1025',
    meaning: 'Port on loopback where the development mailbox takes mail.',
  }),
  MAILBOX_WEB_PORT: variable({
    schema: port,
    default: '1080',
    meaning: 'Port on loopback where the development mailbox shows mail.',
  }),
  BOOTSTRAP_API_KEY: variable({
    schema: secret(32),
    default: null,
    shownDefault: 'none',
    secret: true,
    meaning: 'First API key, for all tenants: at least 32 characters. Taken only while there has never been a key.',
  }),
  ALLOW_PRIVATE_PROVIDERS: variable({
    schema: flag,
    default: 'false',
    meaning: '`true` lets identity providers be on http or on private and loopback addresses.',
  }),
  SESSION_IDLE_HOURS: variable({
    schema: integer(1, 720),
    default: '8',
    unit: 'hours',
    meaning: 'How long a guest stays signed in without doing anything.',
  }),
  SESSION_LIFETIME_HOURS: variable({
    schema: integer(1, 8760),
    default: '24',
    unit: 'hours',
    meaning: 'How long a guest stays signed in at most, counted from the sign-in.',
  }),
  ALLOW_PRIVATE_APPS: variable({
    schema: flag,
    default: 'false',
    meaning:
      '`true` lets the gateway reach addresses that apps name (public keys, back-channel logout) on http or on private and loopback addresses.',
  }),
  EVENT_RETENTION_DAYS: variable({
    schema: integer(1, 36_500),
    default: '365',
    unit: 'days',
    meaning: "How long events stay in the tenants' feeds.",
  }),
  MAILS_PER_TENANT_PER_HOUR: variable({
    schema: integer(1, 10_000_000),
    default: '20000',
    unit: 'mails per hour',
    meaning: 'The most mails sent for one tenant, copies and resends included.',
  }),
  GUEST_STEPS_PER_NETWORK: variable({
    schema: integer(1, 10_000_000),
    default: '3000',
    unit: 'steps in 10 minutes',
    meaning:
      'The most steps (links started, codes asked for or tried, sign-ins) taken by guests from one IPv4 address or IPv6 /64. Behind a proxy it needs TRUSTED_PROXIES; steps from loopback addresses are not counted.',
  }),
  SOCKETS_PER_API_KEY: variable({
    schema: integer(1, 1_000_000),
    default: '10000',
    unit: 'sockets per process',
    meaning: 'The most GraphQL sockets one API key may hold open at one process; each carries up to 100 subscriptions.',
  }),
  WORKER_CONCURRENCY: variable({
    schema: integer(1, 100),
    default: '4',
    unit: 'jobs',
    meaning:
      'How many jobs one process works on at once, mails apart: of those there are as many as their server takes.',
  }),
  LOG_LEVEL: variable({
    schema: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
      error: 'must be one of fatal, error, warn, info, debug, trace, silent',
    }),
    default: 'info',
    meaning: 'The least severe messages logged: fatal, error, warn, info, debug, trace or silent.',
  }),
  METRICS_TOKEN: variable({
    schema: secret(32),
    default: null,
    shownDefault: 'none',
    secret: true,
    meaning:
      'Bearer token of at least 32 characters that opens `/metrics`. With neither this nor METRICS_PORT there is no `/metrics`.',
  }),
  METRICS_PORT: variable({
    schema: port,
    default: null,
    shownDefault: 'none',
    meaning: 'Port of its own for `/metrics`, on HOST; without a token it is open to whoever reaches it.',
  }),
  OTEL_EXPORTER_OTLP_ENDPOINT: variable({
    schema: urlOf('http', 'https'),
    default: null,
    shownDefault: 'none: no traces',
    meaning:
      'OpenTelemetry collector that takes OTLP over HTTP as JSON, such as `http://localhost:4318`; traces go to `/v1/traces` below it.',
  }),
  OTEL_EXPORTER_OTLP_HEADERS: variable({
    schema: headers,
    default: '',
    shownDefault: 'none',
    secret: true,
    meaning: 'Headers for the collector: `name=value`, separated by commas, values percent-encoded.',
  }),
  OTEL_SERVICE_NAME: variable({ schema: text, default: 'vestibule', meaning: 'What the gateway is called in traces.' }),
  OTEL_TRACES_SAMPLER: variable({
    schema: z.enum(samplers, { error: `must be one of ${samplers.join(', ')}` }),
    default: 'parentbased_always_on',
    meaning: `Which traces are kept: ${samplers.map((name) => `\`${name}\``).join(', ')}.`,
  }),
  OTEL_TRACES_SAMPLER_ARG: variable({
    schema: fraction(),
    default: '1',
    meaning: 'Share of the traces that the two `traceidratio` samplers keep, 0 to 1.',
  }),
  SHUTDOWN_DRAIN_SECONDS: variable({
    schema: integer(0, 600),
    default: '10',
    unit: 'seconds',
    meaning: 'How long requests and jobs in progress may go on after SIGTERM or SIGINT.',
  }),
};

export type VariableName = keyof typeof variables;

type Value<D> = D extends Declaration<infer T, infer Default> ? (Default extends null ? T | null : T) : never;

/** What the table makes of an environment, by variable name. */
export type Values = { [Name in VariableName]: Value<(typeof variables)[Name]> };

export const variableNames = Object.keys(variables) as VariableName[];
