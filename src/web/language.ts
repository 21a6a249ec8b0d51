import { fallbackLanguage, type Language, supportedLanguage } from '../kernel/languages.js';

/** The first language of the browser's list that we have (RFC 9110 section 12.5.4; lists come sorted by preference). */
export function languageOf(acceptLanguage: string | undefined): Language {
  const tags = (acceptLanguage ?? '').split(',').map((range) => range.split(';')[0] ?? '');
  return tags.map(supportedLanguage).find((language) => language !== null) ?? fallbackLanguage;
}
