/**
 * A guest on the way from the mail to the app, through the real pages. The guest knows no addresses of pages: reads what is
 * shown, fills in what is asked for, and presses the button that leads on.
 */
import { Browser, type Form, type Page } from './browser.js';
import type { Mailbox } from './mailbox.js';

export interface Guest {
  firstName: string;
  email: string;
}

export interface Way {
  mailbox: Mailbox;
  /** Where the way ends. */
  appUrl: string;
  /** Told before each click. */
  onClick(button: string, page: Page): void;
}

const MAX_CLICKS = 10;

/** @returns how many clicks it took, the one in the mail included. */
export async function acceptInvitation(guest: Guest, way: Way): Promise<number> {
  const browser = new Browser();
  let page = await browser.open(await way.mailbox.linkTo(guest.email));
  for (let clicks = 1; clicks < MAX_CLICKS; clicks++) {
    if (page.url.href === way.appUrl) return arrived(page, clicks);
    const form = formThatLeadsOn(page);
    const filledIn = await fillIn(form, guest, way.mailbox);
    way.onClick(form.button, page);
    page = await browser.submit(form, filledIn);
  }
  throw new Error(`${guest.firstName} does not get on at ${page.url.pathname}: ${page.text}`);
}

function arrived(page: Page, clicks: number): number {
  if (page.status !== 200) throw new Error(`The app answered ${page.status}.`);
  return clicks;
}

function formThatLeadsOn(page: Page): Form {
  const form = page.forms.find(({ action }) => !action.pathname.endsWith('/decline'));
  if (!form) throw new Error(`The way ends at ${page.url.origin} with status ${page.status}: ${page.text}`);
  return form;
}

async function fillIn(form: Form, guest: Guest, mailbox: Mailbox): Promise<Record<string, string>> {
  if ('passcode' in form.fields) return { passcode: await mailbox.passcodeTo(guest.email) };
  if ('email' in form.fields) return { email: guest.email };
  return {};
}
