/** How often something was done in a window of time. What it was is kept as a keyed digest: networks and addresses are people's. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { integerColumn, secretColumn, timeColumn } from '../database/columns.js';

@Entity({ tableName: 'rate_count' })
export class RateCount {
  @PrimaryKey(secretColumn())
  keyHash!: Buffer;

  @PrimaryKey(timeColumn())
  windowStart!: Date;

  @Property(timeColumn())
  windowEnd!: Date;

  @Property(integerColumn())
  hits!: number;
}
