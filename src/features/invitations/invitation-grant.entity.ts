/** What an invitation gives once accepted: a group, or an app with a role. Inert until then, gone with its invitation. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { idColumn, integerColumn, keyColumn } from '../../database/columns.js';

@Entity({ tableName: 'invitation_grant' })
export class InvitationGrant {
  @PrimaryKey(idColumn())
  invitationId!: string;

  /** Order as given by the inviter. */
  @PrimaryKey(integerColumn())
  position!: number;

  @Property(idColumn())
  tenantId!: string;

  @Property({ ...idColumn(), nullable: true })
  appId!: string | null;

  @Property({ ...idColumn(), nullable: true })
  groupId!: string | null;

  @Property({ ...keyColumn(), nullable: true })
  role!: string | null;
}
