/** One person in one group. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { idColumn, timeColumn } from '../../database/columns.js';

@Entity({ tableName: 'group_member' })
export class GroupMember {
  @PrimaryKey(idColumn())
  groupId!: string;

  @PrimaryKey(idColumn())
  externalUserId!: string;

  @Property(idColumn())
  tenantId!: string;

  @Property(timeColumn())
  createdAt!: Date;
}
