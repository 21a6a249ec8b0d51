/** A code sent to the invited address. Compared by a keyed digest bound to its flow; the sealed code is deleted once sent. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { idColumn, secretColumn, timeColumn } from '../../database/columns.js';

@Entity({ tableName: 'passcode' })
export class Passcode {
  @PrimaryKey(idColumn())
  id!: string;

  @Property(idColumn())
  tenantId!: string;

  @Property(idColumn())
  flowId!: string;

  @Property(secretColumn())
  codeHash!: Buffer;

  @Property({ ...secretColumn(), nullable: true })
  sealedCode!: Buffer | null;

  @Property(timeColumn())
  createdAt!: Date;

  @Property(timeColumn())
  expiresAt!: Date;

  @Property({ ...timeColumn(), nullable: true })
  usedAt!: Date | null;
}
