/**
 * Use cases of tenants: create, rename, brand. Owns the transaction; who may call is decided before (`@Requires`), which
 * tenant is reached is decided here.
 */
import { isUniqueViolation } from '../../database/transaction.js';
import { asciiDomain } from '../../kernel/email-address.js';
import { refuse } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import { reachTenant } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import { Validation } from '../../request/validation.js';
import { Tenant } from './tenant.entity.js';
import { ringTenantChanged, type TenantCache } from './tenant-cache.service.js';
import { queueLogo } from './tenant-logo.service.js';

export interface NewTenant {
  slug: string;
  displayName: string;
  defaultLanguage: string;
  ownDomains: string[];
}

export interface TenantChange {
  tenantId: string;
  displayName?: string | null;
  defaultLanguage?: string | null;
  ownDomains?: string[] | null;
}

export interface BrandingChange {
  tenantId: string;
  logoUrl?: string | null;
  accentColor?: string | null;
  supportEmail?: string | null;
  privacyStatementUrl?: string | null;
  termsOfUseUrl?: string | null;
}

const MAX_OWN_DOMAINS = 500;
const DEFAULT_ACCENT_COLOR = '#1f5fbf';
const slugPattern = /^[a-z0-9](?:[a-z0-9-]{1,38})[a-z0-9]$/;
const colorPattern = /^#[0-9a-fA-F]{6}$/;

export class TenantsService {
  readonly #cache: TenantCache;

  constructor(cache: TenantCache) {
    this.#cache = cache;
  }

  async create(ctx: RequestContext, input: NewTenant): Promise<string> {
    const valid = new Validation();
    const tenant = {
      slug: valid.pattern(input.slug, slugPattern, 'Use 3 to 40 characters: a-z, 0-9 and inner hyphens.', 'slug'),
      displayName: valid.name(input.displayName, 'displayName'),
      defaultLanguage: valid.language(input.defaultLanguage, 'defaultLanguage'),
      ownDomains: checkDomains(valid, input.ownDomains),
    };
    valid.done();
    const id = newId('Tenant');
    try {
      await ctx.transaction(null, async ({ em }) => {
        em.create(Tenant, {
          id,
          ...tenant,
          domainRule: 'ALLOW_ANY',
          domainPatterns: [],
          logoUrl: null,
          accentColor: DEFAULT_ACCENT_COLOR,
          supportEmail: null,
          privacyStatementUrl: null,
          termsOfUseUrl: null,
          termsVersion: null,
          secondFactorRequired: false,
          createdAt: ctx.clock.now(),
        });
      });
    } catch (error) {
      throw isUniqueViolation(error) ? refuse('TAKEN', { field: ['slug'] }) : error;
    }
    return id;
  }

  async update(ctx: RequestContext, input: TenantChange): Promise<string> {
    const valid = new Validation();
    const { displayName, defaultLanguage, ownDomains } = input;
    const change = {
      ...(displayName != null && { displayName: valid.name(displayName, 'displayName') }),
      ...(defaultLanguage != null && { defaultLanguage: valid.language(defaultLanguage, 'defaultLanguage') }),
      ...(ownDomains != null && { ownDomains: checkDomains(valid, ownDomains) }),
    };
    valid.done();
    return this.#change(ctx, input.tenantId, change);
  }

  async updateBranding(ctx: RequestContext, input: BrandingChange): Promise<string> {
    const valid = new Validation();
    const { logoUrl, accentColor, supportEmail, privacyStatementUrl, termsOfUseUrl } = input;
    const change = {
      ...(logoUrl !== undefined && { logoUrl: valid.optionalUrl(logoUrl, 'logoUrl') }),
      ...(accentColor != null && {
        accentColor: valid.pattern(accentColor, colorPattern, 'Use #rrggbb.', 'accentColor').toLowerCase(),
      }),
      ...(supportEmail !== undefined && { supportEmail: valid.email(supportEmail, 'supportEmail') }),
      ...(privacyStatementUrl !== undefined && {
        privacyStatementUrl: valid.optionalUrl(privacyStatementUrl, 'privacyStatementUrl'),
      }),
      ...(termsOfUseUrl !== undefined && { termsOfUseUrl: valid.optionalUrl(termsOfUseUrl, 'termsOfUseUrl') }),
    };
    valid.done();
    return this.#change(ctx, input.tenantId, change);
  }

  async #change(ctx: RequestContext, id: string, change: Partial<Tenant>): Promise<string> {
    await reachTenant(ctx, id);
    await ctx.transaction(id, async (tx) => {
      Object.assign(await tx.em.findOneOrFail(Tenant, { id }), change);
      if (change.logoUrl !== undefined) await queueLogo(tx, id, change.logoUrl);
      await ringTenantChanged(tx, id);
    });
    this.#cache.forget(id);
    return id;
  }
}

function checkDomains(valid: Validation, domains: string[]): string[] {
  return valid.list(domains, MAX_OWN_DOMAINS, 'ownDomains').map((domain, index) => {
    const ascii = asciiDomain(domain.trim());
    if (!ascii) valid.add('INVALID', ['ownDomains', String(index)], 'Give a domain, such as contoso.example.');
    return ascii ?? domain;
  });
}
