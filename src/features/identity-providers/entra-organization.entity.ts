/** What a provider for every organisation of Entra answered about a domain. Old answers hold until there is a newer one. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { idColumn, keyColumn, textColumn, timeColumn } from '../../database/columns.js';

@Entity({ tableName: 'entra_organization' })
export class EntraOrganization {
  @PrimaryKey(idColumn())
  identityProviderId!: string;

  @PrimaryKey(keyColumn())
  domain!: string;

  @Property(idColumn())
  tenantId!: string;

  /** Of the organisation; null: the domain is none. */
  @Property({ ...textColumn(), nullable: true })
  issuer!: string | null;

  @Property(timeColumn())
  checkedAt!: Date;
}
