/** What callers send about terms of use. */
import { Field, ID, InputType } from 'type-graphql';

@InputType()
export class TermsOfUseTextInput {
  @Field(() => String, { description: 'One of the languages of mails and pages: en, ko.' })
  language!: string;

  @Field(() => String, {
    description: 'Headings, lists, emphasis, quotes and https links; HTML and images are shown as text.',
  })
  markdown!: string;
}

@InputType()
export class PublishTermsOfUseInput {
  @Field(() => ID)
  tenantId!: string;

  @Field(() => [TermsOfUseTextInput], {
    description: "One for each language; the tenant's default language is shown where a guest's is missing.",
  })
  texts!: TermsOfUseTextInput[];
}

@InputType()
export class WithdrawTermsOfUseInput {
  @Field(() => ID)
  tenantId!: string;
}
