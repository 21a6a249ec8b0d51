/** Names of things people choose. Data, never templates: no control characters, no URLs, nothing that reads as a link. */

/** Two spellings of one name share a key: NFKC, single spaces, lower case. */
export function nameKey(name: string): string {
  return name.normalize('NFKC').trim().replace(/\s+/g, ' ').toLowerCase();
}

export const MAX_NAME_LENGTH = 200;

/** Also line and paragraph separators, which break a line as a control character does. */
const controlCharacters = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
/** What mail clients turn into a link wherever it stands. */
const urlLike = /:\/\/|\bwww\.|\b(?:https?|mailto):/i;

export function isPlainName(name: string): boolean {
  return name.trim() !== '' && !controlCharacters.test(name) && !urlLike.test(name);
}
