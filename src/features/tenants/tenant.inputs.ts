/** What callers send about tenants. Fields left out stay as they are; null clears. */
import { Field, ID, InputType } from 'type-graphql';

@InputType()
export class CreateTenantInput {
  @Field(() => String, {
    description: '3 to 40 characters: a-z, 0-9 and inner hyphens. Never changes, is never reused.',
  })
  slug!: string;

  @Field(() => String)
  displayName!: string;

  @Field(() => String, { defaultValue: 'en' })
  defaultLanguage!: string;

  @Field(() => [String], {
    defaultValue: [],
    description: "The organisation's own mail domains; their people are not invited.",
  })
  ownDomains!: string[];
}

@InputType()
export class UpdateTenantInput {
  @Field(() => ID)
  tenantId!: string;

  @Field(() => String, { nullable: true })
  displayName?: string | null;

  @Field(() => String, { nullable: true })
  defaultLanguage?: string | null;

  @Field(() => [String], { nullable: true })
  ownDomains?: string[] | null;
}

@InputType()
export class UpdateTenantBrandingInput {
  @Field(() => ID)
  tenantId!: string;

  @Field(() => String, { nullable: true, description: 'https URL of a PNG, JPEG or WebP of at most 256 KB.' })
  logoUrl?: string | null;

  @Field(() => String, { nullable: true, description: '#rrggbb' })
  accentColor?: string | null;

  @Field(() => String, { nullable: true })
  supportEmail?: string | null;

  @Field(() => String, { nullable: true })
  privacyStatementUrl?: string | null;

  @Field(() => String, { nullable: true })
  termsOfUseUrl?: string | null;
}
