/** Wrong codes, over all flows of a link or an address: guessing cannot go on by starting new ones. Counted in windows. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { idColumn, integerColumn, keyColumn, timeColumn } from '../../database/columns.js';

@Entity({ tableName: 'passcode_failures' })
export class PasscodeFailures {
  @PrimaryKey(idColumn())
  tenantId!: string;

  /** `<invitation>/<link version>`, or the address's key. */
  @PrimaryKey(keyColumn())
  countedFor!: string;

  @Property(timeColumn())
  windowStartedAt!: Date;

  @Property(integerColumn())
  wrong!: number;
}
