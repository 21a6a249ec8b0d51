/**
 * Tries at a password or a second factor, in windows. Passwords are counted by address, whether or not anybody has it, so
 * that a lock tells nothing.
 */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { idColumn, integerColumn, keyColumn, timeColumn } from '../../database/columns.js';

export type TriedKind = 'PASSWORD' | 'SECOND_FACTOR';

@Entity({ tableName: 'credential_tries' })
export class CredentialTries {
  @PrimaryKey(idColumn())
  tenantId!: string;

  @PrimaryKey(keyColumn())
  kind!: TriedKind;

  /** Address key, or the user's id. */
  @PrimaryKey(keyColumn())
  subject!: string;

  @Property(timeColumn())
  windowStartedAt!: Date;

  @Property(integerColumn())
  tries!: number;
}
