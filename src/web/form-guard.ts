/**
 * Whether a form that arrives is one we showed. With `no-referrer` browsers send `Origin: null`, so a token does it,
 * bound to what the form is about, and the browser's own word on where the request came from (Fetch Metadata).
 */
import type { FastifyRequest } from 'fastify';
import { RequestError } from '../kernel/errors.js';
import type { Secrets } from '../kernel/secrets.js';
import { lastingPart } from './browser-cookie.js';

/** A form of the page behind a link, before there is a flow. */
export const linkForm = (token: string): string => `link/${token}`;
/** A form of a flow, in the browser the flow belongs to. */
export const flowForm = (flowId: string, browserToken: string): string => `flow/${flowId}/${lastingPart(browserToken)}`;
/** A form of the page behind a mail's "no more invitations". */
export const unsubscribeForm = (token: string): string => `unsubscribe/${token}`;
export const unsubscribeFlowForm = (flowId: string, browserToken: string): string =>
  `unsubscribe flow/${flowId}/${lastingPart(browserToken)}`;

/** The form that asks for an address, in the browser it was shown in. */
export const signInForm = (tenantId: string, browserToken: string): string =>
  `sign-in/${tenantId}/${lastingPart(browserToken)}`;
/** Any form of somebody who is signed in. */
export const sessionForm = (sessionToken: string): string => `session/${sessionToken}`;
/** The form that asks whether to sign in, after an answer that nobody asked for. */
export const unrequestedForm = (state: string, browserToken: string): string =>
  `unrequested/${state}/${lastingPart(browserToken)}`;

export function formToken(secrets: Secrets, form: string): string {
  return secrets.sign('csrf', form).toString('base64url');
}

/** @throws RequestError FORBIDDEN */
export function checkForm(secrets: Secrets, request: FastifyRequest, form: string): void {
  const site = request.headers['sec-fetch-site'];
  if (site === 'cross-site' || site === 'same-site') throw refusal(`form sent from a ${site} page`);
  const given = Buffer.from(formField(request, 'csrf'), 'base64url');
  if (!secrets.verify('csrf', form, given)) throw refusal('form token missing or of another form');
}

/** Empty when absent; repeated fields count as absent. */
export function formField(request: FastifyRequest, name: string): string {
  const value = (request.body as Record<string, unknown> | null | undefined)?.[name];
  return typeof value === 'string' ? value : '';
}

function refusal(detail: string): RequestError {
  return new RequestError('FORBIDDEN', { detail });
}
