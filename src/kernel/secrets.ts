/**
 * The server secret and what is derived from it. Everything is a primitive of node:crypto: HKDF-SHA256 (RFC 5869) gives a
 * subkey per label, HMAC-SHA256 makes link tokens and passcode digests, AES-256-GCM seals columns. The first key of
 * SECRET_KEYS makes, all of them open, so that a key is changed by putting a new one in front.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';

const LABELS = [
  'link',
  'unsubscribe',
  'passcode',
  'csrf',
  'cookie',
  'seal',
  'cursor',
  'idempotency',
  'mail',
  'results',
  'rate',
  'oidc',
  'challenge',
  'recovery',
] as const;
export type SecretLabel = (typeof LABELS)[number];

const SEAL_VERSION = 1;
const IV_BYTES = 12;
const TAG_BYTES = 16;

export class Secrets {
  readonly #keys: Map<SecretLabel, Buffer[]>;

  /** @param secretKeys at least one, each of 32 characters or more; the first is current. */
  constructor(secretKeys: readonly string[]) {
    this.#keys = new Map(LABELS.map((label) => [label, secretKeys.map((key) => deriveKey(key, label))]));
  }

  /** MAC under the current key. */
  sign(label: SecretLabel, message: string): Buffer {
    return hmac(this.#current(label), message);
  }

  /** MACs under every key, current first: for checking what an older key made. */
  signatures(label: SecretLabel, message: string): Buffer[] {
    return (this.#keys.get(label) ?? []).map((key) => hmac(key, message));
  }

  verify(label: SecretLabel, message: string, signature: Buffer): boolean {
    return this.signatures(label, message).some((expected) => equalBytes(expected, signature));
  }

  /** AES-256-GCM; `context` (e.g. `identity_provider:<id>`) is authenticated, so a sealed value cannot be moved elsewhere. */
  seal(plain: string, context: string): Buffer {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#current('seal'), iv).setAAD(Buffer.from(context));
    const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
    return Buffer.concat([Buffer.of(SEAL_VERSION), iv, cipher.getAuthTag(), body]);
  }

  /** @throws Error when no key opens it: SECRET_KEYS lost the key that sealed it, or the value was moved. */
  open(sealed: Buffer, context: string): string {
    for (const key of this.#keys.get('seal') ?? []) {
      const opened = tryOpen(key, sealed, context);
      if (opened !== null) return opened;
    }
    throw new Error(`No key of SECRET_KEYS opens ${context}. Put the key that sealed it back into the list.`);
  }

  #current(label: SecretLabel): Buffer {
    const key = this.#keys.get(label)?.[0];
    if (!key) throw new Error('SECRET_KEYS is empty.');
    return key;
  }
}

/** 256 random bits, base64url: API keys, handles, browser cookies, client secrets. */
export function randomToken(): string {
  return randomBytes(32).toString('base64url');
}

/** What the database holds of a secret of 256 bits: guessing it is hopeless, so a plain hash is enough. */
export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

export function equalBytes(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

function deriveKey(secret: string, label: SecretLabel): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `vestibule/${label}`, 32));
}

function hmac(key: Buffer, message: string): Buffer {
  return createHmac('sha256', key).update(message).digest();
}

function tryOpen(key: Buffer, sealed: Buffer, context: string): string | null {
  if (sealed[0] !== SEAL_VERSION) return null;
  const iv = sealed.subarray(1, 1 + IV_BYTES);
  const tag = sealed.subarray(1 + IV_BYTES, 1 + IV_BYTES + TAG_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(context)).setAuthTag(tag);
  try {
    return decipher.update(sealed.subarray(1 + IV_BYTES + TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
  } catch {
    return null;
  }
}
