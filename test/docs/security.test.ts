/** docs/security.md names, for each threat, the tests that cover it. A test that was renamed or removed is found here. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const docs = join(import.meta.dirname, '../../docs');
const page = readFileSync(join(docs, 'security.md'), 'utf8');

interface Named {
  file: string;
  tests: string[];
}

/** `[name](../test/….test.ts) “a test”, “another”; …` */
function namedIn(text: string): Named[] {
  const parts = text.split(/\[[^\]]*\]\((?=\.\.\/test\/)/).slice(1);
  return parts.map((part) => ({
    file: part.slice(0, part.indexOf(')')),
    tests: [...part.matchAll(/“([^”]+)”/g)].map(([, name = '']) => name.replace(/\s+/g, ' ')),
  }));
}

/** The rows of the tables of a section, without their heads. */
function rowsOf(section: string): string[] {
  const text = page.split(/^## /m).find((part) => part.startsWith(section)) ?? '';
  return text
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(2);
}

describe('docs/security.md', () => {
  it.each([
    "Attacks on the guest's way",
    'Attacks on accounts here',
    'Attacks by, or between, providers',
    'The decisions that bind',
  ])('names a test for each row: %s', (section) => {
    const rows = rowsOf(section);
    expect(rows.length).toBeGreaterThan(5);
    for (const row of rows) {
      const tests = namedIn(row).flatMap((named) => named.tests);
      expect([row.slice(0, 80), tests.length > 0]).toEqual([row.slice(0, 80), true]);
    }
  });

  it('has a row for each of the 32 decisions', () => {
    expect(rowsOf('The decisions that bind').map((row) => Number(row.split('|')[1]))).toEqual(
      Array.from({ length: 32 }, (_, index) => index + 1),
    );
  });

  it('names tests that exist', () => {
    const named = namedIn(page);
    expect(named.length).toBeGreaterThan(50);
    const missing = named.flatMap(({ file, tests }) => {
      const path = join(docs, file);
      if (!existsSync(path)) return [file];
      const source = readFileSync(path, 'utf8').replaceAll("\\'", "'");
      return tests.filter((name) => !source.includes(name)).map((name) => `${file}: ${name}`);
    });
    expect(missing).toEqual([]);
  });
});
