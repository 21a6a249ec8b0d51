/**
 * Use cases of apps: register, change, delete, rotate the secret. Who may use an app is `app-assignments.service.ts`; how
 * an app proves itself at the gateway is `openid-provider/`.
 */
import { LockMode } from '@mikro-orm/core';
import { sql } from 'kysely';
import type { Row } from '../../database/table.js';
import { isUniqueViolation, type Tx } from '../../database/transaction.js';
import { requirePermission } from '../../kernel/actor.js';
import { HOUR, later } from '../../kernel/clock.js';
import { refuse, type UserError } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import { hashToken, randomToken } from '../../kernel/secrets.js';
import { reachTenant, rowById, tenantOf } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import { Validation } from '../../request/validation.js';
import type { ReviewAccess } from '../external-users/access-review.port.js';
import { App } from './app.entity.js';
import { queueAppLogo } from './app-logo.service.js';
import { checkName, checkRedirectUris, checkRoles } from './app-rules.js';
import { type ClientSettings, checkClient, checkClientSettings, defaultClientSettings } from './client-rules.js';
import { changeIssuer } from './issuer-channel.js';

export interface NewApp extends ClientSettings {
  tenantId: string;
  displayName: string;
  homePageUrl: string;
  redirectUris: string[];
  roles: string[];
  assignmentRequired: boolean;
}

export interface AppChange extends ClientSettings {
  appId: string;
  displayName?: string | null;
  homePageUrl?: string | null;
  redirectUris?: string[] | null;
  roles?: string[] | null;
  assignmentRequired?: boolean | null;
  enabled?: boolean | null;
}

/** The secret is known to whoever asked, once; null: a public client, which has none to show. */
export interface AppSecret {
  id: string;
  clientSecret: string | null;
}

/** How long the secret before the last rotation is still taken, so that an app is rolled over without an outage. */
const PREVIOUS_SECRET_MILLISECONDS = 24 * HOUR;

export class AppsService {
  readonly #reviewAccess: ReviewAccess;

  constructor(reviewAccess: ReviewAccess) {
    this.#reviewAccess = reviewAccess;
  }

  async register(ctx: RequestContext, input: NewApp): Promise<AppSecret> {
    const tenantId = await reachTenant(ctx, input.tenantId);
    if (input.apiAccess) requirePermission(ctx.actor, 'ROLE_WRITE');
    const app = checkNewApp(input);
    const id = newId('App');
    const clientSecret = randomToken();
    await refusingTakenName(
      changeIssuer(ctx, tenantId, async (tx) => {
        await insertApp(tx, id, app, hashToken(clientSecret), ctx.clock.now());
        if (app.logoUrl) await queueAppLogo(tx, { tenantId, appId: id, logoUrl: app.logoUrl });
      }),
    );
    return { id, clientSecret: app.clientAuthentication === 'NONE' ? null : clientSecret };
  }

  /**
   * Who holds an app that may ask for the API acts with the roles it bears, or with those of the people who sign in to it.
   * @throws RequestError FORBIDDEN without ROLE_WRITE when it is such an app, or is to be one.
   */
  async update(ctx: RequestContext, input: AppChange): Promise<string> {
    const tenantId = await tenantOfApp(ctx, input.appId);
    const change = checkChange(input);
    await refusingTakenName(
      changeIssuer(ctx, tenantId, async (tx) => {
        const app = await lockApp(tx, input.appId);
        if (app.apiAccess || change.apiAccess) requirePermission(ctx.actor, 'ROLE_WRITE');
        if (change.roles) await refuseRolesInUse(tx, app, change.roles);
        checkClient({ ...app, ...change });
        Object.assign(app, change);
        await tx.writeChanges();
        if (change.logoUrl !== undefined) await queueAppLogo(tx, { tenantId, appId: app.id, logoUrl: change.logoUrl });
        await this.#reviewAccess(tx, { appIds: [app.id] });
      }),
    );
    return input.appId;
  }

  /** Assignments and what open invitations promise of it go with it. @returns the app as it was */
  async delete(ctx: RequestContext, appId: string): Promise<Row<App>> {
    const tenantId = await tenantOfApp(ctx, appId);
    const app = await rowById(ctx, App, appId);
    if (!app) throw unknownApp();
    await changeIssuer(ctx, tenantId, async (tx) => {
      // Nobody may use it any more: apps and feed are told while it is still known who did.
      await sql`update app set enabled = false where tenant_id = ${tenantId} and id = ${appId}`.execute(tx.db);
      await this.#reviewAccess(tx, { appIds: [appId] });
      await sql`delete from app where tenant_id = ${tenantId} and id = ${appId}`.execute(tx.db);
    });
    return app;
  }

  /** @throws RequestError FORBIDDEN as `update`. */
  async rotateSecret(ctx: RequestContext, appId: string): Promise<AppSecret> {
    const tenantId = await tenantOfApp(ctx, appId);
    const clientSecret = randomToken();
    await ctx.transaction(tenantId, async (tx) => {
      const app = await lockApp(tx, appId);
      if (app.apiAccess) requirePermission(ctx.actor, 'ROLE_WRITE');
      await sql`
        update app set client_secret_hash = ${hashToken(clientSecret)}, previous_client_secret_hash = client_secret_hash,
          previous_secret_expires_at = ${later(ctx.clock.now(), PREVIOUS_SECRET_MILLISECONDS)}
        where tenant_id = ${tenantId} and id = ${appId}`.execute(tx.db);
    });
    return { id: appId, clientSecret };
  }
}

function checkNewApp(input: NewApp) {
  const valid = new Validation();
  const app = {
    tenantId: input.tenantId,
    ...checkName(valid, input.displayName),
    homePageUrl: valid.url(input.homePageUrl, 'homePageUrl'),
    redirectUris: checkRedirectUris(valid, input.redirectUris),
    roles: checkRoles(valid, input.roles),
    assignmentRequired: input.assignmentRequired,
    ...defaultClientSettings,
    ...checkClientSettings(valid, input),
  };
  valid.done();
  checkClient(app);
  return app;
}

function checkChange(input: AppChange): Partial<App> {
  const { displayName, homePageUrl, redirectUris, roles, assignmentRequired, enabled } = input;
  const valid = new Validation();
  const change = {
    ...(displayName != null && checkName(valid, displayName)),
    ...(homePageUrl != null && { homePageUrl: valid.url(homePageUrl, 'homePageUrl') }),
    ...(redirectUris != null && { redirectUris: checkRedirectUris(valid, redirectUris) }),
    ...(roles != null && { roles: checkRoles(valid, roles) }),
    ...(assignmentRequired != null && { assignmentRequired }),
    ...(enabled != null && { enabled }),
    ...checkClientSettings(valid, input),
  };
  valid.done();
  return change;
}

/** By `sql`, which binds its parameters: MikroORM writes values into the statement, and so into the server's log. */
async function insertApp(
  tx: Tx,
  id: string,
  app: ReturnType<typeof checkNewApp>,
  clientSecretHash: Buffer,
  createdAt: Date,
): Promise<void> {
  await sql`
    insert into app (id, tenant_id, display_name, name_key, client_id, client_secret_hash, home_page_url, redirect_uris,
      assignment_required, roles, initiate_login_url, logo_url, post_logout_redirect_uris, backchannel_logout_url,
      grant_types, client_authentication, jwks, jwks_url, signing_algorithm, subject_type, access_token_lifetime_seconds,
      refresh_token_lifetime_days, second_factor_required, consent_required, api_access,
      created_at)
    values (${id}, ${app.tenantId}, ${app.displayName}, ${app.nameKey}, ${id}, ${clientSecretHash}, ${app.homePageUrl},
      ${app.redirectUris}, ${app.assignmentRequired}, ${app.roles}, ${app.initiateLoginUrl}, ${app.logoUrl},
      ${app.postLogoutRedirectUris}, ${app.backchannelLogoutUrl}, ${app.grantTypes}, ${app.clientAuthentication},
      ${app.jwks && JSON.stringify(app.jwks)}::jsonb, ${app.jwksUrl}, ${app.signingAlgorithm}, ${app.subjectType},
      ${app.accessTokenLifetimeSeconds}, ${app.refreshTokenLifetimeDays}, ${app.secondFactorRequired},
      ${app.consentRequired}, ${app.apiAccess}, ${createdAt})`.execute(tx.db);
}

/** Whoever assigns a role holds the app, too, so that no role in use is taken away meanwhile. */
async function lockApp(tx: Tx, id: string): Promise<App> {
  return tx.em.findOneOrFail(App, { id }, { lockMode: LockMode.PESSIMISTIC_WRITE, failHandler: unknownApp });
}

async function refuseRolesInUse(tx: Tx, app: App, roles: string[]): Promise<void> {
  const { rows } = await sql<{ role: string }>`
    select role from app_assignment where app_id = ${app.id} and role <> all(${roles})
    union
    select g.role from invitation_grant g join invitation i on i.id = g.invitation_id and i.status = 'PENDING'
    where g.app_id = ${app.id} and g.role <> all(${roles})
    order by role`.execute(tx.db);
  if (rows.length === 0) return;
  const list = rows.map((row) => row.role).join(', ');
  throw refuse('INVALID', {
    field: ['roles'],
    message: `Still assigned or promised by an open invitation: ${list}. Take these roles away first.`,
  });
}

function tenantOfApp(ctx: RequestContext, appId: string): Promise<string> {
  return tenantOf(ctx, 'App', App, appId, 'appId');
}

/** Also when it was deleted a moment ago. */
function unknownApp(): UserError {
  return refuse('NOT_FOUND', { field: ['appId'] });
}

async function refusingTakenName(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    throw isUniqueViolation(error) ? refuse('TAKEN', { field: ['displayName'] }) : error;
  }
}
