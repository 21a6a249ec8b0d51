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
  /** Told of each click: the words on the button, and whose page it is. */
  onClick(what: string, where: string): void;
}

export interface Arrival {
  /** From the mail to the app, after the link in the mail. */
  clicks: number;
  /** What the app shows. */
  title: string;
}

const MAX_CLICKS = 10;

/** @param browser in which the guest may be signed in somewhere already */
export async function acceptInvitation(
  guest: Guest,
  { mailbox, appUrl, onClick }: Way,
  browser = new Browser(),
): Promise<Arrival> {
  const link = await mailbox.linkTo(guest.email);
  onClick('the link', 'in the mail');
  let page = await browser.open(link);
  for (let clicks = 0; clicks <= MAX_CLICKS; clicks++) {
    if (page.url.href === appUrl) return { clicks, title: titleOf(page) };
    const form = formThatLeadsOn(page);
    const filledIn = await fillIn(form, guest, mailbox);
    onClick(form.button, `at ${page.url.host}`);
    page = await browser.submit(form, filledIn);
  }
  throw new Error(`${guest.firstName} does not get on at ${page.url.origin}: ${page.text}`);
}

/** As people are before they open their mail. @param portalUrl a page of their own organisation */
export async function signInAtWork({ firstName, email }: Guest, portalUrl: string): Promise<Browser> {
  const browser = new Browser();
  const signInPage = await browser.open(portalUrl);
  const portal = await browser.submit(formThatLeadsOn(signInPage), { email });
  if (portal.status !== 200) throw new Error(`${firstName} is not signed in at ${portalUrl}: ${portal.text}`);
  return browser;
}

function titleOf({ status, title, text }: Page): string {
  if (status !== 200) throw new Error(`The app answered ${status}: ${text}`);
  return title;
}

function formThatLeadsOn({ forms, url, status, text }: Page): Form {
  const form = forms.find(({ action }) => !action.pathname.endsWith('/decline'));
  if (!form) throw new Error(`The way ends at ${url.origin} with status ${status}: ${text}`);
  return form;
}

async function fillIn(form: Form, guest: Guest, mailbox: Mailbox): Promise<Record<string, string>> {
  if ('passcode' in form.fields) return { passcode: await mailbox.passcodeTo(guest.email) };
  if ('email' in form.fields) return { email: guest.email };
  return {};
}
