/**
 * The environment becomes one validated, frozen Config, once, at start. This folder is the only reader of the environment and
 * is read by the composition root alone, which hands each part what it needs. Every problem is reported at once, and nothing
 * falls back silently. Neighbours: `variables.ts` (the table), `secret-keys.ts` (secrets made up at the first start).
 */
import { resolve } from 'node:path';
import { HOUR } from '../kernel/clock.js';
import { loadSecretKeys } from './secret-keys.js';
import type { Mailbox } from './variable-types.js';
import { type Values, type VariableName, variableNames, variables } from './variables.js';

export interface Config {
  http: { host: string; port: number; publicUrl: URL; trustedProxies: readonly string[] };
  /** `url` null: the embedded database. */
  database: { url: string | null; poolSize: number };
  /** Absolute path; it need not exist yet. */
  dataDir: string;
  /** First is current, the rest still open what they made. */
  secretKeys: readonly string[];
  /** `smtpUrl` null: the development mailbox on the two ports. */
  mail: {
    smtpUrl: string | null;
    from: Mailbox;
    /** Envelope sender; null: the address of `from`. */
    returnPath: string | null;
    /** Any of them signs what comes to the hook; empty: there is none. */
    bounceHookSecrets: readonly string[];
    /** Null: no mailbox is read. */
    bounceImapUrl: string | null;
    maxConnections: number;
    mailboxSmtpPort: number;
    mailboxWebPort: number;
  };
  bootstrapApiKey: string | null;
  allowPrivateProviders: boolean;
  allowPrivateApps: boolean;
  /** In milliseconds. */
  sessions: { idle: number; lifetime: number };
  events: { retentionDays: number };
  limits: { mailsPerTenantPerHour: number; guestStepsPerNetwork: number; socketsPerApiKey: number };
  worker: { concurrency: number };
  logLevel: Values['LOG_LEVEL'];
  /** Both null: no metrics are served. */
  metrics: { token: string | null; port: number | null };
  /** `endpoint` null: tracing is off. */
  tracing: {
    endpoint: string | null;
    headers: Record<string, string>;
    serviceName: string;
    sampler: Values['OTEL_TRACES_SAMPLER'];
    ratio: number;
  };
  shutdown: { drainSeconds: number };
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  /** One sentence each, beginning with the variable's name; never a value. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The configuration has problems:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

/** Used when mail goes to the development mailbox only. */
const DEVELOPMENT_MAILBOX: Mailbox = { name: 'Vestibule', address: 'no-reply@vestibule.example' };

/** @throws ConfigError with every problem, before anything is written to DATA_DIR. */
export function loadConfig(env: NodeJS.ProcessEnv): Config {
  const values = readVariables(env);
  const dataDir = resolve(values.DATA_DIR);
  return freeze({
    http: {
      host: values.HOST,
      port: values.PORT,
      publicUrl: values.PUBLIC_URL ?? new URL(`http://localhost:${values.PORT}`),
      trustedProxies: values.TRUSTED_PROXIES,
    },
    database: { url: values.DATABASE_URL, poolSize: values.DATABASE_POOL_SIZE },
    dataDir,
    secretKeys: values.SECRET_KEYS ?? loadSecretKeys(dataDir),
    mail: {
      smtpUrl: values.SMTP_URL,
      from: values.MAIL_FROM ?? DEVELOPMENT_MAILBOX,
      returnPath: values.MAIL_RETURN_PATH,
      bounceHookSecrets: values.BOUNCE_HOOK_SECRET ?? [],
      bounceImapUrl: values.BOUNCE_IMAP_URL,
      maxConnections: values.SMTP_MAX_CONNECTIONS,
      mailboxSmtpPort: values.MAILBOX_SMTP_PORT,
      mailboxWebPort: values.MAILBOX_WEB_PORT,
    },
    bootstrapApiKey: values.BOOTSTRAP_API_KEY,
    allowPrivateProviders: values.ALLOW_PRIVATE_PROVIDERS,
    allowPrivateApps: values.ALLOW_PRIVATE_APPS,
    sessions: { idle: values.SESSION_IDLE_HOURS * HOUR, lifetime: values.SESSION_LIFETIME_HOURS * HOUR },
    events: { retentionDays: values.EVENT_RETENTION_DAYS },
    limits: {
      mailsPerTenantPerHour: values.MAILS_PER_TENANT_PER_HOUR,
      guestStepsPerNetwork: values.GUEST_STEPS_PER_NETWORK,
      socketsPerApiKey: values.SOCKETS_PER_API_KEY,
    },
    worker: { concurrency: values.WORKER_CONCURRENCY },
    logLevel: values.LOG_LEVEL,
    metrics: { token: values.METRICS_TOKEN, port: values.METRICS_PORT },
    tracing: {
      endpoint: values.OTEL_EXPORTER_OTLP_ENDPOINT,
      headers: values.OTEL_EXPORTER_OTLP_HEADERS,
      serviceName: values.OTEL_SERVICE_NAME,
      sampler: values.OTEL_TRACES_SAMPLER,
      ratio: values.OTEL_TRACES_SAMPLER_ARG,
    },
    shutdown: { drainSeconds: values.SHUTDOWN_DRAIN_SECONDS },
  });
}

function readVariables(env: NodeJS.ProcessEnv): Values {
  const present = new Set(variableNames.filter((name) => given(env, name) !== null));
  const read = variableNames.map((name) => [name, readVariable(env, name)] as const);
  const problems = [
    ...read.flatMap(([name, { problems }]) => problems.map((problem) => `${name} ${problem}.`)),
    ...missingWithOthers(present),
  ];
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.fromEntries(read.map(([name, { value }]) => [name, value])) as Values;
}

/** What an external database, and so production, forbids to be made up. */
function missingWithOthers(present: ReadonlySet<VariableName>): string[] {
  const problems: string[] = [];
  if (present.has('DATABASE_URL') && !present.has('SECRET_KEYS'))
    problems.push('SECRET_KEYS is required with DATABASE_URL: set one random secret of at least 32 characters.');
  if (present.has('DATABASE_URL') && !present.has('SMTP_URL'))
    problems.push(
      'SMTP_URL is required with DATABASE_URL: the development mailbox works with the embedded database only.',
    );
  if ((present.has('DATABASE_URL') || present.has('SMTP_URL')) && !present.has('MAIL_FROM'))
    problems.push('MAIL_FROM is required with SMTP_URL and DATABASE_URL: set the mailbox that mails come from.');
  return problems;
}

function readVariable(env: NodeJS.ProcessEnv, name: VariableName): { value: unknown; problems: string[] } {
  const value = given(env, name) ?? variables[name].default;
  if (value === null) return { value: null, problems: [] };
  const result = variables[name].schema.safeParse(value);
  return { value: result.data, problems: result.error?.issues.map((issue) => issue.message) ?? [] };
}

/** Empty counts as absent: that is what `KEY=` in an env file and an unset variable of a container template give. */
function given(env: NodeJS.ProcessEnv, name: VariableName): string | null {
  return env[name]?.trim() || null;
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) for (const part of Object.values(value)) freeze(part);
  return Object.freeze(value);
}
