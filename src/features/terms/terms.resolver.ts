/** Terms of use over GraphQL, and who agreed to them. */
import { Arg, Ctx, Field, FieldResolver, Int, Mutation, ObjectType, Resolver, Root } from 'type-graphql';
import type { Row } from '../../database/table.js';
import { ActorType } from '../../request/actor.type.js';
import { type Answer, answer } from '../../request/answer.js';
import { Requires } from '../../request/permission.js';
import type { RequestContext } from '../../request/request-context.js';
import { UserErrorType } from '../../request/user-error.type.js';
import { ExternalUser } from '../external-users/external-user.entity.js';
import type { ExternalUserRow } from '../external-users/external-users.queries.js';
import { Tenant } from '../tenants/tenant.entity.js';
import { PublishTermsOfUseInput, WithdrawTermsOfUseInput } from './terms.inputs.js';
import { type PublishedTerms, type TermsAcceptanceRow, termsAcceptancesOf, termsOfUseOf } from './terms.queries.js';
import type { TermsService } from './terms.service.js';
import { TermsAcceptance } from './terms-acceptance.entity.js';
import { termsHtml } from './terms-markdown.rules.js';

@ObjectType({ simpleResolvers: true })
export class TermsOfUseText {
  @Field(() => String)
  language!: string;

  @Field(() => String, { description: 'As published.' })
  markdown!: string;

  @Field(() => String, { description: 'As guests see it: no HTML of the text itself, links to https only.' })
  html!: string;

  @Field(() => String, { description: 'SHA-256 of the Markdown, hexadecimal.' })
  hash!: string;
}

@ObjectType({ simpleResolvers: true, description: 'One version of what guests agree to. It never changes.' })
export class TermsOfUse {
  @Field(() => Int, { description: 'From 1, without gaps.' })
  version!: number;

  @Field(() => Date)
  publishedAt!: Date;

  @Field(() => ActorType)
  publishedBy!: ActorType;

  @Field(() => [TermsOfUseText])
  texts!: TermsOfUseText[];
}

@ObjectType({ simpleResolvers: true })
export class TermsOfUsePayload {
  @Field(() => TermsOfUse, { nullable: true, description: 'In force now; null: none.' })
  termsOfUse!: TermsOfUse | null;

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[];
}

@Resolver(() => Tenant)
export class TermsResolver {
  readonly #terms: TermsService;

  constructor(terms: TermsService) {
    this.#terms = terms;
  }

  @FieldResolver(() => TermsOfUse, { nullable: true, description: 'Null: guests are asked for none.' })
  termsOfUse(
    @Ctx() ctx: RequestContext,
    @Root() tenant: Row<Tenant>,
    @Arg('version', () => Int, { nullable: true, description: 'Default: the one in force.' }) version?: number | null,
  ): Promise<TermsOfUse | null> {
    return termsOf(ctx, tenant.id, version ?? null);
  }

  @Requires('TENANT_WRITE')
  @Mutation(() => TermsOfUsePayload, {
    description: 'A new version, in force at once: also who agreed to an earlier one is asked at the next sign-in.',
  })
  publishTermsOfUse(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => PublishTermsOfUseInput) { tenantId, texts }: PublishTermsOfUseInput,
  ): Promise<Answer<TermsOfUsePayload>> {
    return answer(async () => {
      await this.#terms.publish(ctx, tenantId, texts);
      return { termsOfUse: await termsOf(ctx, tenantId, null) };
    });
  }

  @Requires('TENANT_WRITE')
  @Mutation(() => TermsOfUsePayload, { description: 'Guests are asked for none any more; what was agreed to is kept.' })
  withdrawTermsOfUse(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => WithdrawTermsOfUseInput) { tenantId }: WithdrawTermsOfUseInput,
  ): Promise<Answer<TermsOfUsePayload>> {
    return answer(async () => {
      await this.#terms.withdraw(ctx, tenantId);
      return { termsOfUse: null };
    });
  }
}

@Resolver(() => ExternalUser)
export class TermsAcceptancesResolver {
  @FieldResolver(() => [TermsAcceptance], { description: 'The latest version first.' })
  termsAcceptances(@Ctx() ctx: RequestContext, @Root() user: ExternalUserRow): Promise<TermsAcceptanceRow[]> {
    return termsAcceptancesOf(ctx, user.id);
  }
}

async function termsOf(ctx: RequestContext, tenantId: string, version: number | null): Promise<TermsOfUse | null> {
  const terms = await termsOfUseOf(ctx, tenantId, version);
  return terms && published(terms);
}

function published({ version, publishedAt, publishedByKind, publishedByName, texts }: PublishedTerms): TermsOfUse {
  return {
    version,
    publishedAt,
    publishedBy: { kind: publishedByKind, displayName: publishedByName },
    texts: texts.map((text) => ({ ...text, html: termsHtml(text.markdown) })),
  };
}
