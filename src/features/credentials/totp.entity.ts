/** The seed of a user's time-based codes (RFC 6238), sealed, and the last time-step a code was taken of. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { idColumn, secretColumn, timeColumn } from '../../database/columns.js';

@Entity({ tableName: 'totp' })
export class Totp {
  @PrimaryKey(idColumn())
  externalUserId!: string;

  @Property(idColumn())
  tenantId!: string;

  @Property(secretColumn())
  sealedSeed!: Buffer;

  /** A code of this step, or of an earlier one, is a replay. */
  @Property({ type: 'bigint' })
  lastStep!: string;

  @Property(timeColumn())
  createdAt!: Date;

  @Property({ ...timeColumn(), nullable: true })
  lastUsedAt!: Date | null;
}
