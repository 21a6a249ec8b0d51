/** One of the codes for whoever lost their second factor: shown once, kept as a keyed digest, taken once. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { idColumn, secretColumn, timeColumn } from '../../database/columns.js';

@Entity({ tableName: 'recovery_code' })
export class RecoveryCode {
  @PrimaryKey(idColumn())
  externalUserId!: string;

  @PrimaryKey(secretColumn())
  codeHash!: Buffer;

  @Property(idColumn())
  tenantId!: string;

  @Property(timeColumn())
  createdAt!: Date;

  @Property({ ...timeColumn(), nullable: true })
  usedAt!: Date | null;
}
