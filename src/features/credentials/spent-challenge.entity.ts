/** A challenge that was answered: a second answer to it is a replay. Kept as long as a challenge can be answered. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { idColumn, secretColumn, timeColumn } from '../../database/columns.js';

@Entity({ tableName: 'spent_challenge' })
export class SpentChallenge {
  @PrimaryKey(secretColumn())
  challengeHash!: Buffer;

  @Property(idColumn())
  tenantId!: string;

  @Property(timeColumn())
  spentAt!: Date;
}
