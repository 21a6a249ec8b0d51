/**
 * The story the demo tells, step by step, on the real parts: a gateway, its mailbox, a partner's provider, and guests who
 * come by HTTP. A step that does not come out as it should ends the demo. Ending and cleaning up are `main.ts`.
 */
import type { Browser } from './browser.js';
import { followBulkInvite, rejectedRows, startBulkInvite } from './bulk-invite.js';
import { createContoso, furnishContoso, type Tenant, trustFabrikam } from './contoso.js';
import { requireEqual } from './expectation.js';
import { type Gateway, makeDataDir, removeDataDir, startGateway, untilReady } from './gateway-process.js';
import { GraphqlClient } from './graphql-client.js';
import { acceptInvitation, type Guest, signInAtWork } from './guest.js';
import { LiveFeed } from './live-feed.js';
import { Mailbox } from './mailbox.js';
import { type OrdersApp, startOrdersApp } from './orders-app.js';
import { checkOutcome } from './outcome.js';
import { PORTAL_PATH } from './partner-portal.js';
import { partnerIssuer, startPartner, untilPartnerReady } from './partner-process.js';
import { freePort } from './ports.js';
import type { Stage } from './stage.js';
import type { Terminal } from './terminal.js';

/** What is there to look at in the end. */
export interface Scene {
  tenant: Tenant;
  graphql: GraphqlClient;
  mailbox: Mailbox;
}

/** Fabrikam has an identity provider, Litware has none. */
const ana: Guest = { firstName: 'Ana', email: 'ana.silva@fabrikam.example' };
const ben: Guest = { firstName: 'Ben', email: 'ben.okoro@fabrikam.example' };
const jo: Guest = { firstName: 'Jo', email: 'jo.lind@litware.example' };

export async function tellStory(stage: Stage, terminal: Terminal): Promise<Scene> {
  const step = <T>(title: string, work: () => Promise<T>) => timed(terminal, title, work);

  const gateway = await step('The gateway starts, with PostgreSQL, migrations and a mailbox', () => openGateway(stage));
  const mailbox = new Mailbox(gateway.mailboxUrl);
  const app = await openApp(stage);

  const tenant = await step('Contoso becomes a tenant, with a key of its own', () => openTenant(stage, gateway));
  const graphql = openGraphql(stage, gateway, tenant.apiKey);
  await step('Contoso sets up branding, the app Orders and two groups', () => furnish(graphql, tenant, app, gateway));
  const issuer = await step('Fabrikam starts its OpenID Provider; Contoso trusts it for fabrikam.example', () =>
    openPartner(stage, graphql, tenant, gateway),
  );

  const feed = await openFeed(stage, terminal, graphql, tenant);
  await step('Contoso invites everybody in demo/guests.csv', () => invite(terminal, graphql, tenant, feed));
  const road = { terminal, mailbox, appUrl: app.url, feed };
  await step('Ana accepts, signing in at Fabrikam', () => walk(ana, road));
  await step('Ben accepts, who is signed in at Fabrikam already', async () => {
    const clicks = await walk(ben, road, await signInAtWork(ben, issuer + PORTAL_PATH));
    requireEqual('The clicks of somebody who is only asked for consent are', clicks, 2);
  });
  await step('Jo accepts, by a passcode from the mail', () => walk(jo, road));
  await step('Contoso looks at the outcome', async () =>
    terminal.result(await checkOutcome(graphql, feed, [ana, ben, jo])),
  );
  return { tenant, graphql, mailbox };
}

async function timed<T>(terminal: Terminal, title: string, work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  terminal.heading(title);
  const result = await work();
  terminal.detail(`done in ${((performance.now() - began) / 1000).toFixed(2)} s`);
  return result;
}

async function openGateway(stage: Stage): Promise<Gateway> {
  const dataDir = await makeDataDir();
  stage.add({ stop: () => removeDataDir(dataDir) });
  const gateway = await startGateway(dataDir);
  stage.add(gateway.process);
  await untilReady(gateway);
  return gateway;
}

async function openApp(stage: Stage): Promise<OrdersApp> {
  const app = await startOrdersApp(await freePort(4001));
  stage.add(app);
  return app;
}

/** The app learns its credentials, and finds everything else in its issuer's discovery document. */
async function furnish(graphql: GraphqlClient, tenant: Tenant, app: OrdersApp, gateway: Gateway): Promise<void> {
  const credentials = await furnishContoso(graphql, tenant.id, app);
  await app.connect({ issuer: `${gateway.url}/t/contoso`, ...credentials });
}

function openTenant(stage: Stage, gateway: Gateway): Promise<Tenant> {
  return createContoso(openGraphql(stage, gateway, gateway.bootstrapKey));
}

function openGraphql(stage: Stage, gateway: Gateway, apiKey: string): GraphqlClient {
  const graphql = new GraphqlClient(gateway.url, apiKey);
  stage.add(graphql);
  return graphql;
}

/** The gateway learns the issuer first, because the provider must know the redirect URI that comes of it. */
async function openPartner(stage: Stage, graphql: GraphqlClient, tenant: Tenant, gateway: Gateway): Promise<string> {
  const port = await freePort(4002);
  const issuer = partnerIssuer(port);
  const client = await trustFabrikam(graphql, tenant.id, { issuer, gatewayUrl: gateway.url });
  const partner = startPartner(port, client);
  stage.add(partner);
  await untilPartnerReady(partner, issuer);
  return issuer;
}

async function openFeed(stage: Stage, terminal: Terminal, graphql: GraphqlClient, tenant: Tenant): Promise<LiveFeed> {
  const feed = new LiveFeed(graphql, tenant.id, (event) => terminal.event(event));
  stage.watch(feed.failed);
  await feed.untilLive();
  return feed;
}

async function invite(terminal: Terminal, graphql: GraphqlClient, tenant: Tenant, feed: LiveFeed): Promise<void> {
  const bulkInvite = await startBulkInvite(graphql, tenant.id);
  const progress = terminal.progress(bulkInvite.totalRows, () => feed.count('MAIL_SENT'));
  const invited = await followBulkInvite(graphql, bulkInvite, (now) => progress.update(now));
  await feed.untilSeen('MAIL_SENT', { times: invited });
  progress.stop();
  for (const row of await rejectedRows(graphql, bulkInvite)) terminal.rejectedRow(row);
}

interface Road {
  terminal: Terminal;
  mailbox: Mailbox;
  appUrl: string;
  feed: LiveFeed;
}

/** @returns how many clicks it took after the link in the mail. */
async function walk(guest: Guest, { terminal, mailbox, appUrl, feed }: Road, browser?: Browser): Promise<number> {
  const onClick = (what: string, where: string) => terminal.click(guest, what, where);
  const { clicks, title } = await acceptInvitation(guest, { mailbox, appUrl, onClick }, browser);
  await feed.untilSeen('REDEEMED', { email: guest.email });
  terminal.result(`“${title}” in Orders, ${clicks} clicks after the link in the mail`);
  return clicks;
}
