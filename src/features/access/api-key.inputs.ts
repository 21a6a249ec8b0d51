/** What callers send about API keys. */
import { Field, ID, InputType } from 'type-graphql';
import type { Permission } from '../../kernel/actor.js';
import { PermissionEnum } from '../../request/graphql-enum.js';

@InputType()
export class CreateApiKeyInput {
  @Field(() => ID, { nullable: true, description: 'Null: a key for all tenants, which only such a key can make.' })
  tenantId?: string | null;

  @Field(() => String)
  name!: string;

  @Field(() => [PermissionEnum], { description: 'Only what the calling key may do itself.' })
  permissions!: Permission[];

  @Field(() => Date, { nullable: true, description: 'Null: the key does not expire. Not after the calling key does.' })
  expiresAt?: Date | null;
}

@InputType()
export class ApiKeyIdInput {
  @Field(() => ID)
  apiKeyId!: string;

  @Field(() => Boolean, {
    defaultValue: false,
    description: 'Revoke what the key invited and nobody has accepted yet, too. Needs INVITATION_WRITE.',
  })
  revokePending!: boolean;
}
