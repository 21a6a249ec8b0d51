/** A QR code as the path of an SVG, which a page can hold without images, scripts or styles. */
import { encode } from 'uqr';

export interface QrCode {
  /** Modules in each direction, the quiet zone included. */
  size: number;
  path: string;
}

/** Modules that stay white around it (ISO/IEC 18004). */
const QUIET_ZONE = 4;

export function qrCode(text: string): QrCode {
  const { size, data } = encode(text, { ecc: 'M', border: QUIET_ZONE });
  const squares = data.flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? [`M${x} ${y}h1v1h-1z`] : [])));
  return { size, path: squares.join('') };
}
