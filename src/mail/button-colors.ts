/** The colours of a button from a tenant's accent colour, so that its text can be read on whatever colour was chosen. */

export interface ButtonColors {
  background: string;
  text: string;
  border: string;
}

const hexColor = /^#[0-9a-f]{6}$/i;
const DEFAULT_ACCENT = '#1d4ed8';
const BLACK = '#000000';
const WHITE = '#ffffff';
/** Keeps a button visible whose colour is nearly that of the page. */
const OUTLINE = '#8a8f98';

/** Luminance at which black and white text contrast equally (WCAG 2.2: (L + 0.05) / 0.05 = 1.05 / (L + 0.05)). */
const EQUAL_CONTRAST = Math.sqrt(1.05 * 0.05) - 0.05;
const NEARLY_WHITE = 0.8;

/** @param accentColor `#rrggbb`; anything else gives the default, since it would end up inside a style attribute. */
export function buttonColors(accentColor: string): ButtonColors {
  const background = hexColor.test(accentColor) ? accentColor : DEFAULT_ACCENT;
  const luminance = relativeLuminance(background);
  return {
    background,
    text: luminance > EQUAL_CONTRAST ? BLACK : WHITE,
    border: luminance > NEARLY_WHITE ? OUTLINE : background,
  };
}

/** WCAG 2.2, "relative luminance": 0 for black to 1 for white. */
function relativeLuminance(color: string): number {
  const channel = (at: number) => {
    const value = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}
