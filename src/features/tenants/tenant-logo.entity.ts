/** A tenant's logo as fetched once: mails carry it and pages show it from our own origin, so that opening neither tells the logo's host anything. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { idColumn, keyColumn, textColumn, timeColumn } from '../../database/columns.js';

@Entity({ tableName: 'tenant_logo' })
export class TenantLogo {
  @PrimaryKey(idColumn())
  tenantId!: string;

  /** Where it came from: another address in the tenant's branding makes this one stale. */
  @Property(textColumn())
  sourceUrl!: string;

  @Property(textColumn())
  contentType!: string;

  @Property({ type: 'blob', columnType: 'bytea' })
  image!: Buffer;

  /** Of the image: part of its address, so that it can be cached for ever. */
  @Property(keyColumn())
  hash!: string;

  @Property(timeColumn())
  fetchedAt!: Date;
}
