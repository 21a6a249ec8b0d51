/** The sentences of our mails in every language: `templates/locales/<language>.json`, looked up by i18next. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInstance, type i18n } from 'i18next';
import { type Language, languages } from '../kernel/languages.js';

export class MessageCatalogue {
  readonly #i18n: i18n;

  private constructor(i18n: i18n) {
    this.#i18n = i18n;
  }

  static async load(localesDirectory: string): Promise<MessageCatalogue> {
    const entries = languages.map(async (language) => {
      const sentences = await readFile(join(localesDirectory, `${language}.json`), 'utf8');
      return [language, { translation: JSON.parse(sentences) }] as const;
    });
    const instance = createInstance();
    await instance.init({
      resources: Object.fromEntries(await Promise.all(entries)),
      // Every catalogue is complete; a sentence in another language than the rest would be a fault that nobody sees.
      fallbackLng: false,
      // Handlebars escapes what goes into HTML, and only there.
      interpolation: { escapeValue: false },
      parseMissingKeyHandler: (key) => {
        throw new Error(`The message catalogues have no "${key}".`);
      },
    });
    return new MessageCatalogue(instance);
  }

  /** @throws Error when no sentence has this key: a fault of ours, found by the tests. */
  sentence(language: Language, key: string, values: Record<string, unknown>): string {
    return this.#i18n.t(key, { ...values, lng: language });
  }
}
