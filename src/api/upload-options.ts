/**
 * What a caller asks of an upload, from its query parameters: the names of `BulkInviteInput` and of its defaults, in one flat
 * list. A name that is not known is refused, because an option that is passed over is one the caller relies on.
 */
import { type BulkErrorPolicy, bulkErrorPolicies } from '../features/bulk-invites/bulk-invite.entity.js';
import type { NewUpload } from '../features/bulk-invites/bulk-invite-upload.service.js';
import { Validation } from '../request/validation.js';

/** As Fastify reads a query: a name that is repeated has a list. */
export type QueryParameters = Record<string, string | string[]>;

/** Given several times for several values; everything else at most once. */
const lists = ['appIds', 'groupIds'] as const;
const singles = [
  'tenantId',
  'fileName',
  'errorPolicy',
  'dryRun',
  'idempotencyKey',
  'landingAppId',
  'redirectUrl',
  'message',
  'inviterName',
  'language',
  'sendMail',
  'expiresInDays',
] as const;
const known = new Set<string>([...lists, ...singles]);

/** A name that is not ours is repeated in the answer; this much of it is enough. */
const MAX_NAME_LENGTH = 40;

const booleans = new Map([
  ['true', true],
  ['false', false],
]);

/**
 * @param keyHeader `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header section 2.1), instead of the parameter.
 * @throws UserError with everything that is wrong, each at the name of its parameter.
 */
export function uploadOptions(query: QueryParameters, keyHeader: string | undefined): NewUpload {
  const valid = new Validation();
  const parameters = new Parameters(query, valid);
  const options: NewUpload = {
    tenantId: parameters.text('tenantId') ?? '',
    fileName: parameters.text('fileName'),
    errorPolicy: parameters.errorPolicy(),
    dryRun: parameters.flag('dryRun') ?? false,
    idempotencyKey: parameters.idempotencyKey(keyHeader),
    defaults: {
      apps: parameters.list('appIds'),
      groups: parameters.list('groupIds'),
      landingApp: parameters.text('landingAppId'),
      redirectUrl: parameters.text('redirectUrl'),
      message: parameters.text('message'),
      inviterName: parameters.text('inviterName'),
      language: parameters.text('language'),
      sendMail: parameters.flag('sendMail') ?? true,
      expiresInDays: parameters.number('expiresInDays'),
    },
  };
  if (options.tenantId === '') valid.add('REQUIRED', ['tenantId'], 'Give the tenant: ?tenantId=...');
  valid.done();
  return options;
}

class Parameters {
  readonly #query: QueryParameters;
  readonly #valid: Validation;

  constructor(query: QueryParameters, valid: Validation) {
    this.#query = query;
    this.#valid = valid;
    for (const [name, values] of Object.entries(query)) this.#check(name, [values].flat());
  }

  text(name: (typeof singles)[number]): string | null {
    const [value = ''] = this.list(name);
    return value.trim() ? value : null;
  }

  list(name: (typeof singles)[number] | (typeof lists)[number]): string[] {
    return [this.#query[name] ?? []].flat();
  }

  flag(name: 'dryRun' | 'sendMail'): boolean | null {
    const value = this.text(name);
    if (value === null) return null;
    const flag = booleans.get(value);
    if (flag === undefined) this.#valid.add('INVALID', [name], 'Write true or false.');
    return flag ?? null;
  }

  /** Whether the number is in its range is decided with the other defaults. */
  number(name: 'expiresInDays'): number | null {
    const value = this.text(name);
    if (value === null) return null;
    if (!/^\d{1,9}$/.test(value)) this.#valid.add('INVALID', [name], 'Write a whole number.');
    return Number(value);
  }

  errorPolicy(): BulkErrorPolicy {
    const value = this.text('errorPolicy') ?? 'IGNORE_FAILED';
    const policy = bulkErrorPolicies.find((each) => each === value);
    if (!policy) this.#valid.add('INVALID', ['errorPolicy'], `Write ${bulkErrorPolicies.join(' or ')}.`);
    return policy ?? 'IGNORE_FAILED';
  }

  /** The header's value is a quoted string (RFC 9651 section 3.3.3); one that is not quoted is understood as well. */
  idempotencyKey(header: string | undefined): string | null {
    const [parameter] = this.list('idempotencyKey');
    const inHeader = header?.trim().replace(/^"(.*)"$/, '$1');
    if (parameter !== undefined && inHeader !== undefined && parameter !== inHeader)
      this.#valid.add('INVALID', ['idempotencyKey'], 'The parameter and the header give different keys. Give one.');
    return parameter ?? inHeader ?? null;
  }

  #check(name: string, values: string[]): void {
    const shown = [name.slice(0, MAX_NAME_LENGTH)];
    if (!known.has(name))
      this.#valid.add('INVALID', shown, `There is no such option. Give one of: ${[...known].join(', ')}.`);
    else if (values.length > 1 && !lists.some((list) => list === name))
      this.#valid.add('INVALID', shown, 'Give this option once.');
    // PostgreSQL stores no NUL.
    if (values.some((value) => value.includes('\0')))
      this.#valid.add('INVALID', shown, 'The value holds characters that are no text. Remove them.');
  }
}
