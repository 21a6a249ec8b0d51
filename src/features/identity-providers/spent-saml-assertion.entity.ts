/** Assertions that were taken: the same one again is a replay. Kept until none of its time could be taken any more. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { idColumn, secretColumn, timeColumn } from '../../database/columns.js';

@Entity({ tableName: 'spent_saml_assertion' })
export class SpentSamlAssertion {
  @PrimaryKey(idColumn())
  identityProviderId!: string;

  @PrimaryKey(secretColumn())
  assertionHash!: Buffer;

  @Property(idColumn())
  tenantId!: string;

  @Property(timeColumn())
  spentAt!: Date;
}
