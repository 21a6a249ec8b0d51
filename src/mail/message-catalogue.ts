/** The sentences of our mails in every language: `templates/locales/<language>.json`, looked up by i18next. Handlebars escapes what goes into HTML, and only there. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInstance, type i18n } from 'i18next';
import { type Language, languages } from '../kernel/languages.js';

/** The texts between the values, and the names of the values: one more text than names. */
interface Sentence {
  texts: string[];
  names: string[];
}

export class MessageCatalogue {
  readonly #i18n: i18n;
  /** By language and key. Taken apart once: looking one up and filling it in took i18next as long as all the rest of a mail. */
  readonly #sentences = new Map<string, Sentence>();

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
      parseMissingKeyHandler: (key) => {
        throw new Error(`The message catalogues have no "${key}".`);
      },
    });
    return new MessageCatalogue(instance);
  }

  /** @throws Error when no sentence has this key: a fault of ours, found by the tests. */
  sentence(language: Language, key: string, values: Record<string, unknown>): string {
    const { texts, names } = this.#find(language, key);
    return names.reduce((said, name, at) => `${said}${values[name] ?? ''}${texts[at + 1]}`, texts[0] ?? '');
  }

  #find(language: Language, key: string): Sentence {
    const place = `${language}/${key}`;
    const known = this.#sentences.get(place);
    if (known) return known;
    const parts = this.#i18n.t(key, { lng: language, skipInterpolation: true }).split(/\{\{(\w+)\}\}/);
    const sentence = {
      texts: parts.filter((_, at) => at % 2 === 0),
      names: parts.filter((_, at) => at % 2 === 1),
    };
    this.#sentences.set(place, sentence);
    return sentence;
  }
}
