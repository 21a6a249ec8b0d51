/** How a tenant has its guests sign in; a tenant without a row has the default of `sign-in-policy.rules.ts`. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { idColumn, textArrayColumn, textColumn } from '../../database/columns.js';
import type { SignInFallback, SignInMethod } from '../identity-providers/sign-in-policy.rules.js';

@Entity({ tableName: 'sign_in_policy' })
export class SignInPolicyRecord {
  @PrimaryKey(idColumn())
  tenantId!: string;

  @Property(textArrayColumn())
  signInOrder!: SignInMethod[];

  @Property(textColumn())
  fallback!: SignInFallback;
}
