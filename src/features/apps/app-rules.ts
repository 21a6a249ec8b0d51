/** What an app may look like (pure): names, addresses, roles. */
import { nameKey } from '../../kernel/names.js';
import type { Validation } from '../../request/validation.js';
import type { App } from './app.entity.js';

const MAX_LIST_LENGTH = 100;
/** RFC 3986 section 2: the visible characters of ASCII. */
const uriCharacters = /^[!-~]+$/;
const rolePattern = /^[A-Za-z0-9._:-]{1,64}$/;

export function checkName(valid: Validation, name: string): Pick<App, 'displayName' | 'nameKey'> {
  const displayName = valid.name(name, 'displayName');
  return { displayName, nameKey: nameKey(displayName) };
}

/** Kept as given: relying parties send them character by character, a normal form would not match (RFC 9700 section 2.1). */
export function checkRedirectUris(valid: Validation, given: string[], name = 'redirectUris'): string[] {
  const uris = valid.list(given, MAX_LIST_LENGTH, name);
  for (const [index, uri] of uris.entries()) {
    const field = [name, String(index)];
    if (uriCharacters.test(uri)) valid.url(uri, ...field);
    else valid.add('INVALID', field, 'A URL has no spaces, and other than ASCII characters are percent-encoded.');
  }
  return [...new Set(uris)];
}

export function checkRoles(valid: Validation, given: string[]): string[] {
  const roles = valid.list(given, MAX_LIST_LENGTH, 'roles');
  for (const [index, role] of roles.entries()) {
    const field = ['roles', String(index)];
    valid.pattern(
      role,
      rolePattern,
      'Use 1 to 64 characters: letters, digits, dot, underscore, colon, hyphen.',
      ...field,
    );
    if (roles.indexOf(role) < index) valid.add('TAKEN', field, 'This role is listed twice.');
  }
  return roles;
}
