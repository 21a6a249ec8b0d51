/** One version of a tenant's terms of use. Versions are numbered from 1 and never change; the tenant says which is in force. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { idColumn, integerColumn, textColumn, timeColumn } from '../../database/columns.js';
import type { ActorKind } from '../../kernel/actor.js';

@Entity({ tableName: 'terms_of_use' })
export class TermsOfUse {
  @PrimaryKey(idColumn())
  tenantId!: string;

  @PrimaryKey(integerColumn())
  version!: number;

  @Property(timeColumn())
  publishedAt!: Date;

  @Property(textColumn())
  publishedByKind!: ActorKind;

  @Property(textColumn())
  publishedByName!: string;
}
