/** Apps over GraphQL. The client secret is answered once, when it is made. Assignments are `app-assignments.resolver.ts`. */
import { Arg, Args, Ctx, Field, FieldResolver, Mutation, ObjectType, Resolver, Root } from 'type-graphql';
import type { Row } from '../../database/table.js';
import { type Answer, answer } from '../../request/answer.js';
import { type Connection, connectionType, PageArgs, readConnection } from '../../request/connection.js';
import { rowById } from '../../request/lookup.js';
import { Requires } from '../../request/permission.js';
import type { RequestContext } from '../../request/request-context.js';
import { UserErrorType } from '../../request/user-error.type.js';
import { Tenant } from '../tenants/tenant.entity.js';
import { App } from './app.entity.js';
import { AppIdInput, RegisterAppInput, UpdateAppInput } from './app.inputs.js';
import { type AppRow, appsOfTenant } from './apps.queries.js';
import type { AppSecret, AppsService } from './apps.service.js';

const AppConnection = connectionType('App', () => App);

@ObjectType({ simpleResolvers: true })
export class AppPayload {
  @Field(() => App, { nullable: true })
  app!: AppRow | null;

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[];
}

@ObjectType({ simpleResolvers: true })
export class RegisterAppPayload {
  @Field(() => App, { nullable: true })
  app!: AppRow | null;

  @Field(() => String, {
    nullable: true,
    description: 'Shown this once; only its hash is kept. Null: a public client has none.',
  })
  clientSecret!: string | null;

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[];
}

@Resolver(() => Tenant)
export class TenantAppsResolver {
  @FieldResolver(() => AppConnection)
  apps(
    @Ctx() ctx: RequestContext,
    @Root() tenant: Row<Tenant>,
    @Args(() => PageArgs) page: PageArgs,
  ): Promise<Connection<AppRow>> {
    return readConnection(ctx, tenant.id, appsOfTenant(ctx), page);
  }
}

@Resolver(() => App)
export class AppsResolver {
  readonly #apps: AppsService;

  constructor(apps: AppsService) {
    this.#apps = apps;
  }

  @FieldResolver(() => Tenant)
  tenant(@Ctx() ctx: RequestContext, @Root() app: AppRow): Promise<Row<Tenant> | null> {
    return rowById(ctx, Tenant, app.tenantId);
  }

  @Requires('APP_WRITE')
  @Mutation(() => RegisterAppPayload)
  registerApp(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => RegisterAppInput) input: RegisterAppInput,
  ): Promise<Answer<RegisterAppPayload>> {
    return this.#answerSecret(ctx, this.#apps.register(ctx, input));
  }

  @Requires('APP_WRITE')
  @Mutation(() => AppPayload)
  updateApp(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => UpdateAppInput) input: UpdateAppInput,
  ): Promise<Answer<AppPayload>> {
    return answer(async () => ({ app: await rowById(ctx, App, await this.#apps.update(ctx, input)) }));
  }

  @Requires('APP_WRITE')
  @Mutation(() => AppPayload, { description: 'Answers the app as it was.' })
  deleteApp(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => AppIdInput) input: AppIdInput,
  ): Promise<Answer<AppPayload>> {
    return answer(async () => ({ app: await this.#apps.delete(ctx, input.appId) }));
  }

  @Requires('APP_WRITE')
  @Mutation(() => RegisterAppPayload, { description: 'The secret before is taken for another 24 hours.' })
  rotateAppSecret(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => AppIdInput) input: AppIdInput,
  ): Promise<Answer<RegisterAppPayload>> {
    return this.#answerSecret(ctx, this.#apps.rotateSecret(ctx, input.appId));
  }

  #answerSecret(ctx: RequestContext, made: Promise<AppSecret>): Promise<Answer<RegisterAppPayload>> {
    return answer(async () => {
      const { id, clientSecret } = await made;
      return { app: await rowById(ctx, App, id), clientSecret };
    });
  }
}
