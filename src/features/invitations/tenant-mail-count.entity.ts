/** Mails a tenant asked for in an hour, spread over shards so that no row is hot. The sum is what the quota compares. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { idColumn, integerColumn, timeColumn } from '../../database/columns.js';

@Entity({ tableName: 'tenant_mail_count' })
export class TenantMailCount {
  @PrimaryKey(idColumn())
  tenantId!: string;

  @PrimaryKey(timeColumn())
  hour!: Date;

  @PrimaryKey(integerColumn())
  shard!: number;

  @Property(integerColumn())
  mails!: number;
}
