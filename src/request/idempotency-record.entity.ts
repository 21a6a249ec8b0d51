/** What a scripted mutation answered, so that a repeat is answered the same. Ids only, never a secret; 24 hours. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { idColumn, jsonColumn, keyColumn, timeColumn } from '../database/columns.js';

@Entity({ tableName: 'idempotency_record' })
export class IdempotencyRecord {
  /** Empty for operations of no tenant. */
  @PrimaryKey(idColumn())
  tenantId!: string;

  @PrimaryKey(idColumn())
  actorId!: string;

  @PrimaryKey(keyColumn())
  operation!: string;

  @PrimaryKey(keyColumn())
  key!: string;

  /** Keyed hash of the input as given. */
  @Property({ type: 'blob', columnType: 'bytea' })
  inputHash!: Buffer;

  @Property(jsonColumn())
  result!: unknown;

  @Property(timeColumn())
  createdAt!: Date;
}
