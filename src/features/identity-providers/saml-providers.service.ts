/**
 * Use cases of SAML providers: setting one up, keeping its metadata fresh, and what a connector and the provider's
 * administrator need of it. Metadata is fetched outside of any transaction; a reading that fails changes nothing, and
 * what was read before holds as long as it says itself.
 */
import { sql } from 'kysely';
import type { Db, Tx } from '../../database/transaction.js';
import { refuse } from '../../kernel/errors.js';
import { isIdOf } from '../../kernel/ids.js';
import type { Secrets } from '../../kernel/secrets.js';
import type { OutboundFetch } from '../../outbound/outbound-client.js';
import { OutboundError } from '../../outbound/outbound-error.js';
import type { RequestContext } from '../../request/request-context.js';
import type { Validation } from '../../request/validation.js';
import {
  MAX_METADATA_BYTES,
  readMetadata,
  refreshTimeOf,
  retryTimeOf,
  type SamlMetadata,
} from './saml-metadata.rules.js';
import { SamlProvider } from './saml-provider.entity.js';
import { nameIdFormatUris } from './saml-response.rules.js';
import {
  checkCertificates,
  checkedText,
  checkMetadataUrl,
  checkNaming,
  type Naming,
  type SamlChange,
} from './saml-settings.rules.js';
import { SamlProblem } from './saml-xml.js';
import { createSigningCredential, type SigningCredential, serviceProviderMetadata } from './service-provider.js';
import { isSharedByOrganisations } from './shared-issuers.rules.js';

export type { SamlChange } from './saml-settings.rules.js';

export interface SamlProvidersOptions {
  /** The guarded client of identity providers. */
  fetch: OutboundFetch;
  /** Permits metadata and sign-in pages on http. */
  allowInsecure: boolean;
}

/** Where metadata comes from and how it is trusted. */
interface MetadataSource {
  /** Null: the XML is given. */
  metadataUrl: string | null;
  entityId: string | null;
  metadataCertificates: string[];
}

/** Checked, and read where there is metadata to read. */
export interface PreparedSaml {
  naming: Partial<Naming>;
  /** Null: it stays as it is. */
  source: (MetadataSource & { metadata: SamlMetadata }) | null;
}

/** Of a new provider. */
export interface NewSaml extends PreparedSaml {
  source: NonNullable<PreparedSaml['source']>;
  credential: SigningCredential;
}

export class SamlProviders {
  readonly #fetch: OutboundFetch;
  readonly #allowInsecure: boolean;

  constructor({ fetch, allowInsecure }: SamlProvidersOptions) {
    this.#fetch = fetch;
    this.#allowInsecure = allowInsecure;
  }

  /**
   * Checks everything that can be checked here, then reads the metadata.
   * @param known the provider's source so far; null: it is a new one, and needs metadata.
   * @throws UserError with all mistakes found; INVALID at the metadata when it cannot be fetched or used.
   */
  async prepare(
    ctx: RequestContext,
    valid: Validation,
    input: SamlChange,
    known: MetadataSource | null,
  ): Promise<PreparedSaml> {
    const naming = checkNaming(valid, input);
    const source = this.#checkSource(valid, input, known);
    valid.done();
    if (!source) return { naming, source: null };
    const field = ['saml', source.metadataUrl === null ? 'metadataXml' : 'metadataUrl'];
    try {
      const metadata = await this.#read(ctx, source, input.metadataXml ?? null);
      return { naming, source: { ...source, metadata } };
    } catch (error) {
      if (!(error instanceof SamlProblem)) throw error;
      throw refuse('INVALID', { field, message: `The metadata cannot be used: ${error.message}.` });
    }
  }

  /** For a new provider, with a key of our own towards it. */
  async prepareNew(ctx: RequestContext, valid: Validation, input: SamlChange): Promise<NewSaml> {
    const { naming, source } = await this.prepare(ctx, valid, input, null);
    if (!source) throw new Error('A new SAML provider always has metadata.');
    return { naming, source, credential: await createSigningCredential(ctx.clock.now()) };
  }

  async insert(ctx: RequestContext, tx: Tx, id: string, { naming, source, credential }: NewSaml): Promise<void> {
    const now = ctx.clock.now();
    const { certificate, privateKey } = credential;
    const { nameIdFormat = 'PERSISTENT', emailAttribute, displayNameAttribute, subjectAttribute } = naming;
    const { allowsUnrequestedSignIn = false } = naming;
    const { metadata } = source;
    await sql`
      insert into saml_provider (identity_provider_id, tenant_id, metadata_url, entity_id, metadata_certificates, sso_url,
        signing_certificates, valid_until, refreshed_at, refresh_at, name_id_format, email_attribute,
        display_name_attribute, subject_attribute, allows_unrequested_sign_in, certificate, sealed_private_key)
      values (${id}, ${tx.tenantId}, ${source.metadataUrl}, ${source.entityId}, ${source.metadataCertificates},
        ${metadata.ssoUrl}, ${metadata.signingCertificates}, ${metadata.validUntil}, ${now},
        ${refreshAt(source, metadata, now)}, ${nameIdFormat}, ${emailAttribute ?? null},
        ${displayNameAttribute ?? null}, ${subjectAttribute ?? null}, ${allowsUnrequestedSignIn}, ${certificate},
        ${sealPrivateKey(ctx.secrets, id, privateKey)})`.execute(tx.db);
  }

  async change(ctx: RequestContext, tx: Tx, id: string, { naming, source }: PreparedSaml): Promise<void> {
    const provider = await tx.em.findOneOrFail(SamlProvider, { identityProviderId: id });
    Object.assign(provider, naming);
    if (!source) return;
    const { metadata, ...from } = source;
    Object.assign(provider, from, readingOf(source, metadata, ctx.clock.now()));
  }

  /** Reads what is due again. One provider's failure holds up no other. */
  async refreshDue(ctx: RequestContext): Promise<void> {
    let due: DueProvider[];
    do {
      due = await findDue(ctx);
      await Promise.all(due.map((provider) => this.#refresh(ctx, provider)));
    } while (due.length === REFRESH_BATCH);
  }

  async #refresh(ctx: RequestContext, provider: DueProvider): Promise<void> {
    try {
      const metadata = await this.#read(ctx, provider, null);
      if (metadata.entityId !== provider.issuer)
        throw new SamlProblem('it describes another organisation than the one configured: update the provider');
      await keepReading(ctx, provider, readingOf(provider, metadata, ctx.clock.now()));
    } catch (error) {
      if (!(error instanceof SamlProblem)) throw error;
      ctx.log.warn({ provider: provider.id, detail: error.message }, 'SAML metadata could not be refreshed');
      await keepFailure(ctx, provider, error.message);
    }
  }

  /** @throws SamlProblem */
  async #read(
    ctx: RequestContext,
    { metadataUrl, entityId, metadataCertificates }: MetadataSource,
    given: string | null,
  ): Promise<SamlMetadata> {
    const xml = metadataUrl === null ? (given ?? '') : await this.#download(metadataUrl);
    const now = ctx.clock.now();
    const metadata = readMetadata(xml, { entityId, metadataCertificates, allowInsecure: this.#allowInsecure, now });
    checkOwner(metadata.entityId);
    return metadata;
  }

  async #download(url: string): Promise<string> {
    try {
      const response = await this.#fetch(url, {
        headers: { accept: 'application/samlmetadata+xml, application/xml, text/xml' },
      });
      if (!response.ok) throw new SamlProblem(`its host answered with status ${response.status}`);
      return await response.text();
    } catch (error) {
      throw error instanceof OutboundError ? new SamlProblem(error.message) : error;
    }
  }

  #checkSource(valid: Validation, input: SamlChange, known: MetadataSource | null): MetadataSource | null {
    const { metadataUrl, metadataXml, metadataCertificates, entityId } = input;
    const isChanged =
      [metadataUrl, metadataXml].some((value) => value != null) ||
      [metadataCertificates, entityId].some((value) => value !== undefined);
    if (known && !isChanged) return null;
    const url = metadataXml == null ? (metadataUrl ?? known?.metadataUrl ?? null) : null;
    if (metadataXml != null && metadataUrl != null)
      valid.add('INVALID', ['saml', 'metadataXml'], 'Give the metadata by its URL or as XML, not both.');
    if (metadataXml != null && Buffer.byteLength(metadataXml) > MAX_METADATA_BYTES)
      valid.add('TOO_LONG', ['saml', 'metadataXml'], 'Give at most 1 MB, for one organisation.');
    if (url === null && metadataXml == null)
      valid.add('REQUIRED', ['saml', 'metadataUrl'], 'Give the metadata by its URL, or as metadataXml.');
    if (metadataUrl != null) checkMetadataUrl(valid, metadataUrl, this.#allowInsecure);
    return {
      metadataUrl: url,
      entityId: entityId === undefined ? (known?.entityId ?? null) : checkedText(valid, entityId, 'entityId'),
      metadataCertificates:
        metadataCertificates === undefined
          ? (known?.metadataCertificates ?? [])
          : checkCertificates(valid, metadataCertificates ?? []),
    };
  }
}

/** Requests at once. */
const REFRESH_BATCH = 20;

interface DueProvider extends MetadataSource {
  id: string;
  tenantId: string;
  issuer: string;
  /** Another one by now: it was read in the meantime, by an operator's word or by another process. */
  refreshAt: Date;
}

async function findDue(ctx: RequestContext): Promise<DueProvider[]> {
  const { rows } = await sql<DueProvider>`
    select s.identity_provider_id as id, s.tenant_id as "tenantId", s.metadata_url as "metadataUrl",
      s.entity_id as "entityId", s.metadata_certificates as "metadataCertificates", s.refresh_at as "refreshAt", p.issuer
    from saml_provider s join identity_provider p on p.id = s.identity_provider_id
    where s.refresh_at <= ${ctx.clock.now()} order by s.refresh_at limit ${REFRESH_BATCH}`.execute(ctx.db);
  return rows;
}

function refreshAt({ metadataUrl }: MetadataSource, metadata: SamlMetadata, now: Date): Date | null {
  return metadataUrl === null ? null : refreshTimeOf(metadata, now);
}

function readingOf(source: MetadataSource, metadata: SamlMetadata, now: Date) {
  const { ssoUrl, signingCertificates, validUntil } = metadata;
  return {
    ssoUrl,
    signingCertificates,
    validUntil,
    refreshedAt: now,
    refreshAt: refreshAt(source, metadata, now),
    refreshError: null,
  };
}

/** Nothing is kept when it was read in the meantime: the source may be another one. */
async function keepReading(
  ctx: RequestContext,
  due: DueProvider,
  reading: ReturnType<typeof readingOf>,
): Promise<void> {
  await ctx.transaction(due.tenantId, ({ db }) =>
    sql`
      update saml_provider set sso_url = ${reading.ssoUrl}, signing_certificates = ${reading.signingCertificates},
        valid_until = ${reading.validUntil}, refreshed_at = ${reading.refreshedAt}, refresh_at = ${reading.refreshAt},
        refresh_error = null
      where identity_provider_id = ${due.id} and tenant_id = ${due.tenantId} and refresh_at = ${due.refreshAt}`.execute(
      db,
    ),
  );
}

async function keepFailure(ctx: RequestContext, due: DueProvider, reason: string): Promise<void> {
  await ctx.transaction(due.tenantId, ({ db }) =>
    sql`
      update saml_provider set refresh_error = ${reason}, refresh_at = ${retryTimeOf(ctx.clock.now())}
      where identity_provider_id = ${due.id} and tenant_id = ${due.tenantId} and refresh_at = ${due.refreshAt}`.execute(
      db,
    ),
  );
}

function checkOwner(entityId: string): void {
  if (URL.canParse(entityId) && isSharedByOrganisations(entityId))
    throw new SamlProblem('it signs in people of every organisation: give the metadata of one');
}

/** Sealed for this provider alone: copied to another row it does not open. */
function sealContext(providerId: string): string {
  return `saml_provider:${providerId}`;
}

export function sealPrivateKey(secrets: Secrets, providerId: string, privateKey: string): Buffer {
  return secrets.seal(privateKey, sealContext(providerId));
}

export function openPrivateKey(secrets: Secrets, providerId: string, sealed: Buffer): string {
  return secrets.open(sealed, sealContext(providerId));
}

/** Our metadata for the provider's administrator; it holds nothing secret. Null: there is no such SAML provider. */
export async function samlMetadataFor(ctx: RequestContext, publicUrl: URL, id: string): Promise<string | null> {
  const provider = isIdOf('IdentityProvider', id) ? await findCredential(ctx.db, id) : undefined;
  if (!provider) return null;
  const privateKey = openPrivateKey(ctx.secrets, id, provider.sealed);
  const format = provider.subjectAttribute ? null : nameIdFormatUris[provider.nameIdFormat];
  const certificates = [provider.certificate, ...(provider.nextCertificate ? [provider.nextCertificate] : [])];
  return serviceProviderMetadata(publicUrl, id, { certificates, privateKey }, format);
}

interface Credential extends Pick<Naming, 'nameIdFormat' | 'subjectAttribute'> {
  certificate: string;
  nextCertificate: string | null;
  sealed: Buffer;
}

async function findCredential(db: Db, id: string): Promise<Credential | undefined> {
  const { rows } = await sql<Credential>`
    select certificate, next_certificate as "nextCertificate", sealed_private_key as sealed, name_id_format as "nameIdFormat",
      subject_attribute as "subjectAttribute"
    from saml_provider where identity_provider_id = ${id}`.execute(db);
  return rows[0];
}
