/** 256 random bits of a tenant, from which pairwise subjects and opaque claims are derived: they outlive every SECRET_KEYS. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { idColumn, secretColumn, timeColumn } from '../database/columns.js';

@Entity({ tableName: 'tenant_salt' })
export class TenantSalt {
  @PrimaryKey(idColumn())
  tenantId!: string;

  @Property(secretColumn())
  sealedSalt!: Buffer;

  @Property(timeColumn())
  createdAt!: Date;
}
