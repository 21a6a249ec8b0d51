/** Partners over GraphQL. */
import { Arg, Args, Ctx, Field, FieldResolver, Mutation, ObjectType, Resolver, Root } from 'type-graphql';
import type { Row } from '../../database/table.js';
import { type Answer, answerWarning } from '../../request/answer.js';
import { type Connection, connectionType, PageArgs, readConnection } from '../../request/connection.js';
import { rowById } from '../../request/lookup.js';
import { Requires } from '../../request/permission.js';
import type { RequestContext } from '../../request/request-context.js';
import { UserErrorType } from '../../request/user-error.type.js';
import { Tenant } from '../tenants/tenant.entity.js';
import { lockOutWarnings } from './locked-out.queries.js';
import { Partner } from './partner.entity.js';
import { CreatePartnerInput, PartnerIdInput, UpdatePartnerInput } from './partner.inputs.js';
import { domainsOfPartner, type PartnerRow, partnersOfTenant } from './partners.queries.js';
import type { PartnersService } from './partners.service.js';
import { SignInPolicy } from './policies.type.js';

const PartnerConnection = connectionType('Partner', () => Partner);

/** One that was deleted brings along what it had. */
type ShownPartner = PartnerRow & { domains?: string[] };

@ObjectType({ simpleResolvers: true })
export class PartnerPayload {
  @Field(() => Partner, { nullable: true })
  partner!: ShownPartner | null;

  @Field(() => [String], { description: 'Whom the change leaves outside.' })
  warnings!: string[];

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[];
}

@Resolver(() => Tenant)
export class TenantPartnersResolver {
  @FieldResolver(() => PartnerConnection)
  partners(
    @Ctx() ctx: RequestContext,
    @Root() tenant: Row<Tenant>,
    @Args(() => PageArgs) page: PageArgs,
  ): Promise<Connection<PartnerRow>> {
    return readConnection(ctx, tenant.id, partnersOfTenant(ctx), page);
  }
}

@Resolver(() => Partner)
export class PartnersResolver {
  readonly #partners: PartnersService;

  constructor(partners: PartnersService) {
    this.#partners = partners;
  }

  @FieldResolver(() => Tenant)
  tenant(@Ctx() ctx: RequestContext, @Root() partner: ShownPartner): Promise<Row<Tenant> | null> {
    return rowById(ctx, Tenant, partner.tenantId);
  }

  @FieldResolver(() => [String], { description: 'In the order given.' })
  domains(@Ctx() ctx: RequestContext, @Root() partner: ShownPartner): Promise<string[]> | string[] {
    return partner.domains ?? domainsOfPartner(ctx, partner.id);
  }

  @FieldResolver(() => SignInPolicy, { nullable: true, description: "Null: the tenant's." })
  signInPolicy(@Root() { signInOrder, fallback }: ShownPartner): SignInPolicy | null {
    return signInOrder && fallback ? { order: signInOrder, fallback } : null;
  }

  @Requires('PARTNER_WRITE')
  @Mutation(() => PartnerPayload)
  createPartner(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => CreatePartnerInput) input: CreatePartnerInput,
  ): Promise<Answer<PartnerPayload>> {
    return this.#answer(ctx, this.#partners.create(ctx, input));
  }

  @Requires('PARTNER_WRITE')
  @Mutation(() => PartnerPayload)
  updatePartner(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => UpdatePartnerInput) input: UpdatePartnerInput,
  ): Promise<Answer<PartnerPayload>> {
    return this.#answer(ctx, this.#partners.update(ctx, input));
  }

  @Requires('PARTNER_WRITE')
  @Mutation(() => PartnerPayload, { description: 'Answers the partner as it was.' })
  deletePartner(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => PartnerIdInput) { partnerId }: PartnerIdInput,
  ): Promise<Answer<PartnerPayload>> {
    return answerWarning(async () => {
      const domains = await domainsOfPartner(ctx, partnerId);
      const partner = await this.#partners.delete(ctx, partnerId);
      return { partner: { ...partner, domains }, warnings: await lockOutWarnings(ctx, partner.tenantId) };
    });
  }

  #answer(ctx: RequestContext, changed: Promise<string>): Promise<Answer<PartnerPayload>> {
    return answerWarning(async () => {
      const partner = await rowById(ctx, Partner, await changed);
      return { partner, warnings: partner ? await lockOutWarnings(ctx, partner.tenantId) : [] };
    });
  }
}
