/** A key by which a tenant's issuer signs. Of each algorithm the youngest active one signs; the others verify. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { idColumn, jsonColumn, keyColumn, secretColumn, timeColumn } from '../database/columns.js';
import type { SigningAlgorithm } from '../features/apps/app.entity.js';

@Entity({ tableName: 'signing_key' })
export class SigningKey {
  /** The `kid`. */
  @PrimaryKey(idColumn())
  id!: string;

  @Property(idColumn())
  tenantId!: string;

  @Property(keyColumn())
  algorithm!: SigningAlgorithm;

  @Property(jsonColumn())
  publicJwk!: object;

  @Property(secretColumn())
  sealedPrivateJwk!: Buffer;

  @Property(timeColumn())
  createdAt!: Date;

  /** Published from the beginning, used from then on. */
  @Property(timeColumn())
  activeFrom!: Date;
}
