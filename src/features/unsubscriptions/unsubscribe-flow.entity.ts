/** The way from a mail to the proven wish not to be invited any more: one code, in one browser, for 30 minutes. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { idColumn, integerColumn, secretColumn, timeColumn } from '../../database/columns.js';

@Entity({ tableName: 'unsubscribe_flow' })
export class UnsubscribeFlow {
  @PrimaryKey(idColumn())
  id!: string;

  @Property(idColumn())
  tenantId!: string;

  /** The one whose mail led here: its address is proven, whatever became of it. */
  @Property(idColumn())
  invitationId!: string;

  @Property(secretColumn())
  browserHash!: Buffer;

  /** Null: proven before, on the way through an invitation. */
  @Property({ ...secretColumn(), nullable: true })
  codeHash!: Buffer | null;

  /** For the mail job; deleted once sent. */
  @Property({ ...secretColumn(), nullable: true })
  sealedCode!: Buffer | null;

  @Property(integerColumn())
  tries!: number;

  @Property({ ...timeColumn(), nullable: true })
  provenAt!: Date | null;

  @Property(timeColumn())
  expiresAt!: Date;
}
