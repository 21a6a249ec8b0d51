/** API keys over GraphQL. The secret is answered once, when the key is made. */
import { Arg, Args, Ctx, Field, FieldResolver, Mutation, ObjectType, Resolver, Root } from 'type-graphql';
import type { Row } from '../../database/table.js';
import { type Answer, answer } from '../../request/answer.js';
import { type Connection, connectionType, PageArgs, readConnection } from '../../request/connection.js';
import { rowById } from '../../request/lookup.js';
import { Requires } from '../../request/permission.js';
import type { RequestContext } from '../../request/request-context.js';
import { UserErrorType } from '../../request/user-error.type.js';
import { Tenant } from '../tenants/tenant.entity.js';
import { ApiKey } from './api-key.entity.js';
import { ApiKeyIdInput, CreateApiKeyInput } from './api-key.inputs.js';
import { type ApiKeyRow, apiKeysOfTenant } from './api-keys.queries.js';
import type { ApiKeysService } from './api-keys.service.js';

const ApiKeyConnection = connectionType('ApiKey', () => ApiKey);

@ObjectType({ simpleResolvers: true })
export class ApiKeyPayload {
  @Field(() => ApiKey, { nullable: true })
  apiKey!: ApiKeyRow | null;

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[];
}

@ObjectType({ simpleResolvers: true })
export class CreateApiKeyPayload {
  @Field(() => ApiKey, { nullable: true })
  apiKey!: ApiKeyRow | null;

  @Field(() => String, { nullable: true, description: 'Shown this once; only its hash is kept.' })
  secret!: string | null;

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[];
}

@Resolver(() => Tenant)
export class TenantApiKeysResolver {
  @FieldResolver(() => ApiKeyConnection)
  apiKeys(
    @Ctx() ctx: RequestContext,
    @Root() tenant: Row<Tenant>,
    @Args(() => PageArgs) page: PageArgs,
  ): Promise<Connection<ApiKeyRow>> {
    return readConnection(ctx, tenant.id, apiKeysOfTenant(ctx), page);
  }
}

@Resolver(() => ApiKey)
export class ApiKeysResolver {
  readonly #apiKeys: ApiKeysService;

  constructor(apiKeys: ApiKeysService) {
    this.#apiKeys = apiKeys;
  }

  @FieldResolver(() => Tenant, { nullable: true, description: 'Null: all tenants.' })
  tenant(@Ctx() ctx: RequestContext, @Root() key: ApiKeyRow): Promise<Row<Tenant> | null> | null {
    return key.tenantId === null ? null : rowById(ctx, Tenant, key.tenantId);
  }

  @Requires('API_KEY_WRITE')
  @Mutation(() => CreateApiKeyPayload)
  createApiKey(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => CreateApiKeyInput) input: CreateApiKeyInput,
  ): Promise<Answer<CreateApiKeyPayload>> {
    return answer(async () => {
      const { id, secret } = await this.#apiKeys.create(ctx, input);
      return { apiKey: await rowById(ctx, ApiKey, id), secret };
    });
  }

  @Requires('API_KEY_WRITE')
  @Mutation(() => ApiKeyPayload, { description: 'Felt by every process and every open socket within a second.' })
  revokeApiKey(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => ApiKeyIdInput) input: ApiKeyIdInput,
  ): Promise<Answer<ApiKeyPayload>> {
    return answer(async () => ({ apiKey: await rowById(ctx, ApiKey, await this.#apiKeys.revoke(ctx, input)) }));
  }
}
