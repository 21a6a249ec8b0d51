/**
 * The bytes of an invitation file, checked before any CSV is read: UTF-8 without NUL, in pieces small enough that reading
 * stays flat in memory. What a spreadsheet saves instead (UTF-16, a workbook, an older code page) is refused with the way
 * out. Rows and columns are `invite-csv.ts` and its neighbours.
 */
import { TextDecoder } from 'node:util';
import { refuse, type UserError } from '../../kernel/errors.js';

export type CsvSource = string | AsyncIterable<Buffer | string>;

/** The parser hands on all rows of a piece before it feels backpressure, so this bounds how far it reads ahead. */
const PIECE_BYTES = 16 * 1024;

/** The local file header every workbook (a ZIP archive) begins with (APPNOTE section 4.3.7). */
const ZIP_SIGNATURE = Buffer.from('PK\u0003\u0004');

/** @throws UserError CSV_UNREADABLE when the source is no UTF-8 text. */
export async function* utf8Pieces(source: CsvSource): AsyncGenerator<Buffer, void> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let opening: Buffer | undefined;
  for await (const chunk of typeof source === 'string' ? [source] : source) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      const piece = bytes.subarray(at, at + PIECE_BYTES);
      opening ??= piece;
      if (piece.includes(0) || !isDecodable(decoder, piece)) throw notUtf8(opening);
      yield piece;
    }
  }
  if (!isDecodable(decoder, null)) {
    throw refuse('CSV_UNREADABLE', {
      message: 'The file is cut off in the middle of a character. Send the whole file again.',
    });
  }
}

/** @param piece null at the end, where a character may not stay open. */
function isDecodable(decoder: TextDecoder, piece: Buffer | null): boolean {
  try {
    if (piece) decoder.decode(piece, { stream: true });
    else decoder.decode();
    return true;
  } catch {
    return false;
  }
}

function notUtf8(opening: Buffer): UserError {
  if (opening.subarray(0, ZIP_SIGNATURE.length).equals(ZIP_SIGNATURE)) {
    return refuse('CSV_UNREADABLE', {
      message: 'This is a workbook or an archive, not CSV. Save the sheet as "CSV UTF-8" and send that file.',
    });
  }
  if (isUtf16(opening)) {
    return refuse('CSV_UNREADABLE', { message: 'The file is in UTF-16. Save it as "CSV UTF-8" and send it again.' });
  }
  return refuse('CSV_UNREADABLE', {
    message: 'The file is not text in UTF-8. Save it as "CSV UTF-8" and send it again.',
  });
}

/** By the byte order mark, whose bytes occur nowhere in UTF-8 (RFC 3629 section 3). */
function isUtf16(opening: Buffer): boolean {
  return opening[0] === 0xff || opening[0] === 0xfe;
}
