/** What a browser says it is, coarse enough to be recognised by its owner and of little use to anybody else. */
import Bowser from 'bowser';

const MAX_LENGTH = 60;

/** Such as `Firefox on Windows`; null: it says nothing known. */
export function deviceLabel(userAgent: string | undefined): string | null {
  if (!userAgent) return null;
  const { browser, os } = Bowser.parse(userAgent);
  const label = [browser.name, os.name].filter(Boolean).join(' on ');
  return label ? label.slice(0, MAX_LENGTH) : null;
}
