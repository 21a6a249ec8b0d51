/** Each mail asked for, by recipient: what send limits count. Swept after an hour. No foreign keys: written by the million. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { idColumn, keyColumn, timeColumn } from '../../database/columns.js';

@Entity({ tableName: 'mail_request' })
export class MailRequest {
  @PrimaryKey({ type: 'bigint', autoincrement: true })
  id!: string;

  @Property(idColumn())
  tenantId!: string;

  @Property(keyColumn())
  addressKey!: string;

  @Property(timeColumn())
  requestedAt!: Date;
}
