import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { languages } from '../../src/kernel/languages.js';
import { MessageCatalogue } from '../../src/mail/message-catalogue.js';

const templates = join(import.meta.dirname, '../../templates');

type Catalogue = { [key: string]: string | Catalogue };

function sentences(catalogue: Catalogue, prefix = ''): [string, string][] {
  return Object.entries(catalogue).flatMap(([key, value]) =>
    typeof value === 'string' ? [[prefix + key, value]] : sentences(value, `${prefix}${key}.`),
  );
}

function catalogueOf(language: string): Map<string, string> {
  return new Map(sentences(JSON.parse(readFileSync(join(templates, 'locales', `${language}.json`), 'utf8'))));
}

function placeholders(sentence: string): string[] {
  return [...sentence.matchAll(/\{\{(\w+)\}\}/g)].map((match) => match[1] as string).sort();
}

/** Each `t "key" a=… b=…` of the mail templates. */
const uses = readdirSync(join(templates, 'mail'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.hbs'))
  .flatMap((file) => [...readFileSync(join(templates, 'mail', file), 'utf8').matchAll(/\bt "([^"]+)"([^)}]*)/g)])
  .map(([, key = '', values = '']) => ({
    key,
    values: [...values.matchAll(/(\w+)=/g)].map((match) => match[1] as string),
  }));

const english = catalogueOf('en');

describe.each(languages)('the catalogue in %s', (language) => {
  const catalogue = catalogueOf(language);

  it('has the same sentences as the others, with the same placeholders', () => {
    expect([...catalogue.keys()].sort()).toEqual([...english.keys()].sort());
    for (const [key, sentence] of catalogue) {
      expect([key, placeholders(sentence)]).toEqual([key, placeholders(english.get(key) ?? '')]);
    }
  });

  it('says every sentence that the templates use, and gets every value it needs', () => {
    expect(uses.length).toBeGreaterThan(20);
    for (const { key, values } of uses) {
      expect([key, catalogue.has(key)]).toEqual([key, true]);
      expect([key, values]).toEqual([key, expect.arrayContaining(placeholders(catalogue.get(key) ?? ''))]);
    }
  });

  it('has no mail sentence that nothing uses', () => {
    const used = new Set(uses.map(({ key }) => key));
    expect([...catalogue.keys()].filter((key) => key.startsWith('mail.') && !used.has(key))).toEqual([]);
  });
});

it('refuses a sentence that does not exist, instead of printing its key', async () => {
  const catalogue = await MessageCatalogue.load(join(templates, 'locales'));
  expect(() => catalogue.sentence('ko', 'mail.invitation.sbject', {})).toThrow('mail.invitation.sbject');
});
