/** Wrong codes per link: guessing cannot go on by starting new flows. Counted in windows of 24 hours; a resend resets it. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { idColumn, integerColumn, timeColumn } from '../../database/columns.js';

@Entity({ tableName: 'passcode_failures' })
export class PasscodeFailures {
  @PrimaryKey(idColumn())
  invitationId!: string;

  @PrimaryKey(integerColumn())
  linkVersion!: number;

  @Property(idColumn())
  tenantId!: string;

  @Property(timeColumn())
  windowStartedAt!: Date;

  @Property(integerColumn())
  wrong!: number;
}
