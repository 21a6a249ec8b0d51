/** The password of a local account, as argon2id (`password-hasher.ts`) writes it down. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { idColumn, secretColumn, timeColumn } from '../../database/columns.js';

@Entity({ tableName: 'local_password' })
export class LocalPassword {
  @PrimaryKey(idColumn())
  externalUserId!: string;

  @Property(idColumn())
  tenantId!: string;

  /** PHC string, UTF-8. */
  @Property(secretColumn())
  passwordHash!: Buffer;

  @Property(timeColumn())
  createdAt!: Date;

  @Property(timeColumn())
  changedAt!: Date;

  @Property({ ...timeColumn(), nullable: true })
  lastUsedAt!: Date | null;
}
