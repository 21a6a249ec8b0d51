/**
 * The story the demo tells, step by step, on the real parts: a gateway, its mailbox, a partner's provider, and guests who
 * come by HTTP. Each step ends the demo when it does not come out as it should. Ending and cleaning up are `main.ts`.
 */
import { followBulkInvite, startBulkInvite } from './bulk-invite.js';
import { type Contoso, createContoso, trustFabrikam } from './contoso.js';
import { type Gateway, makeDataDir, removeDataDir, startGateway, untilReady } from './gateway-process.js';
import { GraphqlClient } from './graphql-client.js';
import { acceptInvitation, type Guest } from './guest.js';
import { type LandingApp, startLandingApp } from './landing-app.js';
import { LiveFeed } from './live-feed.js';
import { Mailbox } from './mailbox.js';
import { checkOutcome } from './outcome.js';
import { partnerIssuer, startPartner, untilPartnerReady } from './partner-process.js';
import { freePort } from './ports.js';
import type { Stage } from './stage.js';
import type { Terminal } from './terminal.js';

/** What is there to look at in the end. */
export interface Scene {
  gateway: Gateway;
  graphql: GraphqlClient;
  mailbox: Mailbox;
  app: LandingApp;
}

/** Fabrikam has an identity provider, Litware has none. */
const ana: Guest = { firstName: 'Ana', email: 'ana.silva@fabrikam.example' };
const jo: Guest = { firstName: 'Jo', email: 'jo.lind@litware.example' };

export async function tellStory(stage: Stage, terminal: Terminal): Promise<Scene> {
  const step = <T>(title: string, work: () => Promise<T>) => timed(terminal, title, work);

  const gateway = await step('The gateway starts: embedded PostgreSQL, migrations, mailbox', () => openGateway(stage));
  const graphql = openGraphql(stage, gateway);
  const mailbox = new Mailbox(gateway.mailboxUrl);
  const app = await openApp(stage);

  const contoso = await step('Contoso sets up its tenant: branding, the app Orders, two groups', () =>
    createContoso(graphql, app.url),
  );
  await step('Fabrikam starts its OpenID Provider, a process of its own; Contoso trusts it for fabrikam.example', () =>
    openPartner(stage, graphql, contoso, gateway),
  );
  const feed = await openFeed(stage, terminal, graphql, contoso);

  await step('Contoso invites everybody in demo/guests.csv', () => invite(terminal, graphql, contoso, feed));
  for (const [guest, proof] of [
    [ana, "signing in at Fabrikam's provider"],
    [jo, 'a passcode sent by mail'],
  ] as const) {
    await step(`${guest.firstName} accepts, proving the address by ${proof}`, () =>
      walk(terminal, guest, { mailbox, app, feed }),
    );
  }
  await step('Contoso looks at the outcome', async () => terminal.detail(await checkOutcome(graphql, feed, [ana, jo])));
  return { gateway, graphql, mailbox, app };
}

async function timed<T>(terminal: Terminal, title: string, work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  terminal.heading(title);
  const result = await work();
  terminal.detail(`done in ${((performance.now() - began) / 1000).toFixed(1)} s`);
  return result;
}

async function openGateway(stage: Stage): Promise<Gateway> {
  const dataDir = await makeDataDir();
  stage.add(() => removeDataDir(dataDir));
  const gateway = await startGateway(dataDir);
  const { failed } = gateway.process;
  stage.add(() => gateway.process.stop(), { failed, kill: () => gateway.process.kill('SIGKILL') });
  await untilReady(gateway);
  return gateway;
}

function openGraphql(stage: Stage, gateway: Gateway): GraphqlClient {
  const graphql = new GraphqlClient(gateway.url, gateway.apiKey);
  stage.add(() => graphql.close());
  return graphql;
}

async function openApp(stage: Stage): Promise<LandingApp> {
  const app = await startLandingApp(await freePort(4001));
  stage.add(() => app.stop());
  return app;
}

/** The issuer is told to the gateway first, because the provider must know the redirect URI made from it. */
async function openPartner(stage: Stage, graphql: GraphqlClient, contoso: Contoso, gateway: Gateway): Promise<void> {
  const port = await freePort(4002);
  const issuer = partnerIssuer(port);
  const client = await trustFabrikam(graphql, contoso.id, { issuer, gatewayUrl: gateway.url });
  const partner = startPartner(port, client);
  stage.add(() => partner.stop(), { failed: partner.failed, kill: () => partner.kill('SIGKILL') });
  await untilPartnerReady(partner, issuer);
}

async function openFeed(stage: Stage, terminal: Terminal, graphql: GraphqlClient, contoso: Contoso): Promise<LiveFeed> {
  const feed = new LiveFeed(graphql, contoso.id, (event) => terminal.event(event));
  stage.add(() => undefined, { failed: feed.failed });
  await feed.untilLive();
  return feed;
}

async function invite(terminal: Terminal, graphql: GraphqlClient, contoso: Contoso, feed: LiveFeed): Promise<void> {
  const bulkInvite = await startBulkInvite(graphql, contoso.id);
  const bar = terminal.progress(bulkInvite.totalRows, () => feed.count('MAIL_SENT'));
  const { invitedRows } = await followBulkInvite(graphql, bulkInvite, (now) => bar.update(now));
  await feed.untilSeen('MAIL_SENT', { times: invitedRows });
  bar.stop();
}

interface Road {
  mailbox: Mailbox;
  app: LandingApp;
  feed: LiveFeed;
}

async function walk(terminal: Terminal, guest: Guest, { mailbox, app, feed }: Road): Promise<void> {
  const clicks = await acceptInvitation(guest, {
    mailbox,
    appUrl: app.url,
    onClick: (button, page) => terminal.click(guest, button, page.url.host),
  });
  await feed.untilSeen('REDEEMED', { email: guest.email });
  terminal.detail(`${guest.firstName} has landed in Orders, ${clicks} clicks after opening the mail`);
}
