/**
 * Names that other people chose, made fit for one line of a mail. Tenants' names are checked when they are entered; this
 * is the second lock, right before a header is written.
 */

/** Control characters and line separators would break a header; bidirectional controls would reorder what is read. */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]+/gu;

/** What a mail client would turn into a link, or a reader would take for the sender's address. */
const addressLike = /@|:\/\/|[\p{L}\p{N}]\.\p{L}{2,}/u;

export function oneLine(text: string): string {
  return text.replace(unprintable, ' ').replace(/ {2,}/g, ' ').trim();
}

/** The name to show beside a mail address, or null when it is empty or reads like an address itself. */
export function displayName(name: string | null): string | null {
  const line = oneLine(name ?? '');
  return line && !addressLike.test(line) ? line : null;
}
