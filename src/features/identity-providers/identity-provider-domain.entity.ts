/** A domain pattern of a provider, exact or `*.`; the same pattern twice in a tenant is TAKEN. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { idColumn, integerColumn, keyColumn } from '../../database/columns.js';

@Entity({ tableName: 'identity_provider_domain' })
export class IdentityProviderDomain {
  @PrimaryKey(idColumn())
  tenantId!: string;

  @PrimaryKey(keyColumn())
  pattern!: string;

  @Property(idColumn())
  identityProviderId!: string;

  /** Order as given by the operator. */
  @Property(integerColumn())
  position!: number;
}
