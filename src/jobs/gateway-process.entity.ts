/** A running gateway process and its workers; one that falls silent has its jobs released to the others. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { keyColumn, textArrayColumn, timeColumn } from '../database/columns.js';

@Entity({ tableName: 'gateway_process' })
export class GatewayProcess {
  @PrimaryKey(keyColumn())
  id!: string;

  @Property(textArrayColumn())
  workerIds!: string[];

  @Property(timeColumn())
  startedAt!: Date;

  @Property(timeColumn())
  seenAt!: Date;
}
