/**
 * Our key towards a SAML provider, changed without an outage: the next one is published in our metadata beside the one in
 * use, the provider's administrator reads it, and only then it is switched to. A provider knows us by our certificate, and
 * some take it by hand: when it has it, nobody but its administrator can say.
 */
import { sql } from 'kysely';
import { refuse } from '../../kernel/errors.js';
import { tenantOf } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import { IdentityProvider } from './identity-provider.entity.js';
import { sealPrivateKey } from './saml-providers.service.js';
import { createSigningCredential } from './service-provider.js';

export class SamlKeysService {
  /** A new next key; one that was prepared before is replaced. @returns the provider's id */
  async prepare(ctx: RequestContext, id: string): Promise<string> {
    const tenantId = await tenantOf(ctx, 'IdentityProvider', IdentityProvider, id, 'identityProviderId');
    const { certificate, privateKey } = await createSigningCredential(ctx.clock.now());
    const sealed = sealPrivateKey(ctx.secrets, id, privateKey);
    const { numAffectedRows } = await ctx.oneStatement(tenantId, ({ db }) =>
      sql`
        update saml_provider set next_certificate = ${certificate}, sealed_next_private_key = ${sealed}
        where identity_provider_id = ${id} and tenant_id = ${tenantId}`.execute(db),
    );
    if (numAffectedRows !== 1n) throw refuse('INVALID', { field: ['identityProviderId'], message: NOT_SAML });
    return id;
  }

  /** From now on requests are signed by the next key; the one before leaves our metadata. @returns the provider's id */
  async switchOver(ctx: RequestContext, id: string): Promise<string> {
    const tenantId = await tenantOf(ctx, 'IdentityProvider', IdentityProvider, id, 'identityProviderId');
    const { numAffectedRows } = await ctx.oneStatement(tenantId, ({ db }) =>
      sql`
        update saml_provider set certificate = next_certificate, sealed_private_key = sealed_next_private_key,
          next_certificate = null, sealed_next_private_key = null
        where identity_provider_id = ${id} and tenant_id = ${tenantId} and next_certificate is not null`.execute(db),
    );
    if (numAffectedRows !== 1n) throw refuse('CONFLICT', { field: ['identityProviderId'], message: NOTHING_PREPARED });
    return id;
  }
}

const NOT_SAML = 'Only SAML providers know us by a certificate.';
const NOTHING_PREPARED = 'No next key was prepared. Prepare one, give it to the provider, then switch.';
