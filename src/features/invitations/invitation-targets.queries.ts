/**
 * Apps and groups that requests name, looked up once for any number of requests: by id, or by exact name (case and
 * spacing aside). Also whose registered address a redirect is.
 */
import { sql } from 'kysely';
import type { Db } from '../../database/transaction.js';
import type { UserErrorCode } from '../../kernel/errors.js';
import { nameKey } from '../../kernel/names.js';

export interface Target {
  id: string;
}

export interface TargetFound {
  target: Target | null;
  problem: UserErrorCode | null;
}

export interface InvitationTargets {
  app(reference: string): TargetFound;
  group(reference: string): TargetFound;
  redirect(url: string): { appId: string; url: string; isHomePage: boolean } | null;
}

interface NamedRow {
  id: string;
  nameKey: string;
}

interface AppRow extends NamedRow {
  homePageUrl: string;
  redirectUris: string[];
}

/** The part of a request that names things of the tenant. */
export interface Wanted {
  apps: string[];
  groups: string[];
  landingApp: string | null;
  redirectUrl: string | null;
}

export async function findTargets(db: Db, tenantId: string, requests: readonly Wanted[]): Promise<InvitationTargets> {
  const appReferences = unique(requests.flatMap(({ apps, landingApp }) => (landingApp ? [...apps, landingApp] : apps)));
  const groupReferences = unique(requests.flatMap(({ groups }) => groups));
  const urls = unique(requests.flatMap(({ redirectUrl }) => normalUrl(redirectUrl) ?? []));
  const apps = await findApps(db, tenantId, appReferences, urls);
  const groups = await findGroups(db, tenantId, groupReferences);
  return { app: finder(apps), group: finder(groups), redirect: redirectFinder(apps) };
}

async function findApps(db: Db, tenantId: string, references: string[], urls: string[]): Promise<AppRow[]> {
  if (references.length === 0 && urls.length === 0) return [];
  const { rows } = await sql<AppRow>`
    select id, name_key as "nameKey", home_page_url as "homePageUrl", redirect_uris as "redirectUris" from app
    where tenant_id = ${tenantId} and (
      id = any(${references}) or name_key = any(${references.map(nameKey)})
      or home_page_url = any(${urls}) or redirect_uris && ${urls}::text[])`.execute(db);
  return rows;
}

async function findGroups(db: Db, tenantId: string, references: string[]): Promise<NamedRow[]> {
  if (references.length === 0) return [];
  const { rows } = await sql<NamedRow>`
    select id, name_key as "nameKey" from user_group
    where tenant_id = ${tenantId} and (id = any(${references}) or name_key = any(${references.map(nameKey)}))`.execute(
    db,
  );
  return rows;
}

function finder(rows: readonly NamedRow[]): (reference: string) => TargetFound {
  return (reference) => {
    const key = nameKey(reference);
    const matches = rows.filter((row) => row.id === reference || row.nameKey === key);
    const only = matches.length === 1 ? matches[0] : undefined;
    return { target: only ?? null, problem: only ? null : matches.length > 1 ? 'AMBIGUOUS_NAME' : 'NOT_FOUND' };
  };
}

function redirectFinder(apps: readonly AppRow[]): InvitationTargets['redirect'] {
  return (text) => {
    const url = normalUrl(text);
    if (!url) return null;
    const home = apps.find((app) => app.homePageUrl === url);
    if (home) return { appId: home.id, url, isHomePage: true };
    const app = apps.find((candidate) => candidate.redirectUris.includes(url));
    return app ? { appId: app.id, url, isHomePage: false } : null;
  };
}

function normalUrl(text: string | null): string | null {
  return text && URL.canParse(text.trim()) ? new URL(text.trim()).href : null;
}

function unique(values: string[]): string[] {
  return [...new Set(values)];
}
