/** When a guest last opened an app, to the hour. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { idColumn, timeColumn } from '../database/columns.js';

@Entity({ tableName: 'app_use' })
export class AppUse {
  @PrimaryKey(idColumn())
  appId!: string;

  @PrimaryKey(idColumn())
  externalUserId!: string;

  @Property(idColumn())
  tenantId!: string;

  @Property(timeColumn())
  lastUsedAt!: Date;
}
