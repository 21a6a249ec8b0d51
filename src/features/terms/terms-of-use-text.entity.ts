/** A version of the terms in one language: Markdown as it was published. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { idColumn, integerColumn, keyColumn, textColumn } from '../../database/columns.js';
import type { Language } from '../../kernel/languages.js';

@Entity({ tableName: 'terms_of_use_text' })
export class TermsOfUseText {
  @PrimaryKey(idColumn())
  tenantId!: string;

  @PrimaryKey(integerColumn())
  version!: number;

  @PrimaryKey(keyColumn())
  language!: Language;

  @Property(textColumn())
  markdown!: string;

  /** SHA-256 of the Markdown, hexadecimal. */
  @Property(keyColumn())
  hash!: string;
}
