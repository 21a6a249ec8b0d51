/** A domain pattern of a partner, exact or `*.`; the same pattern twice in a tenant is TAKEN. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { idColumn, integerColumn, keyColumn } from '../../database/columns.js';

@Entity({ tableName: 'partner_domain' })
export class PartnerDomain {
  @PrimaryKey(idColumn())
  tenantId!: string;

  @PrimaryKey(keyColumn())
  pattern!: string;

  @Property(idColumn())
  partnerId!: string;

  /** Order as given by the operator. */
  @Property(integerColumn())
  position!: number;
}
