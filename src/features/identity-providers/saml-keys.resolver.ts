/** Changing our key towards a SAML provider: prepare, tell the provider, switch. */
import { Arg, Ctx, Mutation, Resolver } from 'type-graphql';
import { type Answer, answer } from '../../request/answer.js';
import { rowById } from '../../request/lookup.js';
import { Requires } from '../../request/permission.js';
import type { RequestContext } from '../../request/request-context.js';
import { IdentityProvider } from './identity-provider.entity.js';
import { IdentityProviderIdInput } from './identity-provider.inputs.js';
import { IdentityProviderPayload } from './identity-providers.resolver.js';
import type { SamlKeysService } from './saml-keys.service.js';

@Resolver()
export class SamlKeysResolver {
  readonly #keys: SamlKeysService;

  constructor(keys: SamlKeysService) {
    this.#keys = keys;
  }

  @Requires('IDENTITY_PROVIDER_WRITE')
  @Mutation(() => IdentityProviderPayload, {
    description: 'Makes the key that comes next and publishes it in our metadata, beside the one in use.',
  })
  prepareSamlKey(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => IdentityProviderIdInput) { identityProviderId }: IdentityProviderIdInput,
  ): Promise<Answer<IdentityProviderPayload>> {
    return changed(ctx, this.#keys.prepare(ctx, identityProviderId));
  }

  @Requires('IDENTITY_PROVIDER_WRITE')
  @Mutation(() => IdentityProviderPayload, {
    description: 'Signs by the prepared key from now on. First make sure that the provider has its certificate.',
  })
  switchSamlKey(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => IdentityProviderIdInput) { identityProviderId }: IdentityProviderIdInput,
  ): Promise<Answer<IdentityProviderPayload>> {
    return changed(ctx, this.#keys.switchOver(ctx, identityProviderId));
  }
}

function changed(ctx: RequestContext, id: Promise<string>): Promise<Answer<IdentityProviderPayload>> {
  return answer(async () => ({ identityProvider: await rowById(ctx, IdentityProvider, await id), warnings: [] }));
}
