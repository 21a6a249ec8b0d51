import { expect, test } from '@jest/globals';
import { requestOf } from '../../../src/features/bulk-invites/bulk-invite-request.js';
import type { InviteRowText } from '../../../src/features/bulk-invites/invite-csv-columns.js';
import { request } from './bulk-ground.js';

const emptyRow: InviteRowText = {
  email: 'ana@fabrikam.example',
  displayName: null,
  apps: [],
  groups: [],
  landingApp: null,
  redirectUrl: null,
  message: null,
  language: null,
  cc: [],
  sendMail: null,
  expiresInDays: null,
};

const defaults = {
  ...request('', {}).defaults,
  apps: ['Orders'],
  groups: ['Partners'],
  landingApp: 'Orders',
  message: 'Welcome.',
  language: 'ko',
  sendMail: false,
  expiresInDays: 10,
  inviterName: 'Kim',
};

test('what a row leaves out is taken from the defaults', () => {
  expect(requestOf(emptyRow, defaults)).toEqual({
    ...defaults,
    email: 'ana@fabrikam.example',
    displayName: null,
    cc: [],
  });
});

test('what a row says wins, and its lists replace the default lists', () => {
  const row = {
    ...emptyRow,
    apps: ['Prices'],
    groups: ['Guests'],
    message: 'Hi.',
    language: 'en',
    sendMail: true,
    expiresInDays: 1,
  };
  expect(requestOf(row, defaults)).toMatchObject({
    apps: ['Prices'],
    groups: ['Guests'],
    message: 'Hi.',
    language: 'en',
    sendMail: true,
    expiresInDays: 1,
  });
});

test('a redirect in the row replaces the default landing app, which it might contradict', () => {
  const row = { ...emptyRow, redirectUrl: 'https://prices.contoso.example/' };
  expect(requestOf(row, defaults)).toMatchObject({ landingApp: null, redirectUrl: 'https://prices.contoso.example/' });
});
