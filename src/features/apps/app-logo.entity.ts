/** An app's logo as fetched once: pages show it from our own origin, so that looking at them tells the logo's host nothing. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { idColumn, keyColumn, textColumn, timeColumn } from '../../database/columns.js';

@Entity({ tableName: 'app_logo' })
export class AppLogo {
  @PrimaryKey(idColumn())
  appId!: string;

  @Property(idColumn())
  tenantId!: string;

  /** Where it came from: another address of the app's logo makes this one stale. */
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
