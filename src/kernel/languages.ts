/** Languages we have a message catalogue for (`templates/locales/<language>.json`). */
export const languages = ['en', 'ko'] as const;
export type Language = (typeof languages)[number];
export const fallbackLanguage: Language = 'en';

/** The supported language a BCP 47 tag asks for (`ko-KR` -> `ko`), or null. */
export function supportedLanguage(tag: string): Language | null {
  const primary = tag.trim().toLowerCase().split(/[-_]/)[0] ?? '';
  return languages.find((language) => language === primary) ?? null;
}
