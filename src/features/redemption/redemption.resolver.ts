/** The guest's operations for callers without pages: the link's token, then a handle. By passcode only; a provider needs a browser. */
import { Arg, Ctx, Field, Mutation, ObjectType, Resolver } from 'type-graphql';
import { randomToken } from '../../kernel/secrets.js';
import { type Answer, answer } from '../../request/answer.js';
import { Public } from '../../request/permission.js';
import type { RequestContext } from '../../request/request-context.js';
import { UserErrorType } from '../../request/user-error.type.js';
import { redeemUrl } from '../invitations/invitation-link.service.js';
import { BeginRedemptionInput, RedeemInvitationInput, RedemptionIdInput } from './redemption.inputs.js';
import type { RedemptionService } from './redemption.service.js';
import { Redemption, redemptionOf } from './redemption.type.js';

@ObjectType({ simpleResolvers: true })
export class RedemptionPayload {
  @Field(() => Redemption, { nullable: true })
  redemption!: Redemption | null;

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[];
}

type Payload = Promise<Answer<RedemptionPayload>>;

@Resolver(() => Redemption)
export class RedemptionResolver {
  readonly #redemption: RedemptionService;
  readonly #publicUrl: URL;

  constructor(redemption: RedemptionService, publicUrl: URL) {
    this.#redemption = redemption;
    this.#publicUrl = publicUrl;
  }

  @Public()
  @Mutation(() => RedemptionPayload, { description: 'Opens a link. Answers a handle that the other operations take.' })
  beginRedemption(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => BeginRedemptionInput) { token }: BeginRedemptionInput,
  ): Payload {
    const handle = randomToken();
    const continueUrl = redeemUrl(this.#publicUrl, token);
    return this.#answer(ctx, handle, () => this.#redemption.start(ctx, token, { handle }), continueUrl);
  }

  @Public()
  @Mutation(() => RedemptionPayload, { description: 'Mails a code to the invited address. Earlier codes stay valid.' })
  sendRedemptionPasscode(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => RedemptionIdInput) { redemptionId }: RedemptionIdInput,
  ): Payload {
    return this.#answer(ctx, redemptionId, () => this.#redemption.sendPasscode(ctx, { handle: redemptionId }));
  }

  @Public()
  @Mutation(() => RedemptionPayload, { description: 'Proves the address by its passcode and accepts the invitation.' })
  redeemInvitation(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => RedeemInvitationInput) input: RedeemInvitationInput,
  ): Payload {
    const { redemptionId, passcode = null, consent, consentVersion } = input;
    const consentAnswer = { consent, consentVersion };
    return answer(async () => {
      const view = await this.#redemption.accept(ctx, { handle: redemptionId }, passcode, consentAnswer);
      return { redemption: this.#show(redemptionOf(redemptionId, view, null, null)) };
    });
  }

  @Public()
  @Mutation(() => RedemptionPayload, {
    description: 'Final once the address is proven; before, the same link takes it back.',
  })
  declineInvitation(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => RedemptionIdInput) { redemptionId }: RedemptionIdInput,
  ): Payload {
    return this.#answer(ctx, redemptionId, () => this.#redemption.decline(ctx, { handle: redemptionId }));
  }

  #answer(
    ctx: RequestContext,
    handle: string,
    step: () => Promise<unknown>,
    continueUrl: string | null = null,
  ): Payload {
    return answer(async () => {
      await step();
      const view = await this.#redemption.flow(ctx, { handle });
      const terms = await this.#redemption.shownTerms(ctx, view);
      return { redemption: this.#show(redemptionOf(handle, view, continueUrl, terms)) };
    });
  }

  /** A path of ours is of no use outside of a browser. */
  #show(redemption: Redemption): Redemption {
    const { landingUrl } = redemption;
    return {
      ...redemption,
      landingUrl: landingUrl && (URL.parse(landingUrl, this.#publicUrl.href)?.href ?? landingUrl),
    };
  }
}
