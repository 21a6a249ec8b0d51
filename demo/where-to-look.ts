/** What people can do while the demo stays up. */
import { dashboardQuery } from './outcome.js';
import type { Scene } from './story.js';
import type { Terminal } from './terminal.js';

const carla = 'carla.rossi@litware.example';
const noor = 'noor.haddad@fabrikam.example';

export async function showWhereToLook(terminal: Terminal, { tenant, graphql, mailbox }: Scene): Promise<void> {
  terminal.heading('Now you');
  const places = [
    ['The mailbox', mailbox.url],
    ['Be Carla, by passcode', await mailbox.pageOfInvitationTo(carla)],
    ['Be Noor, by Fabrikam', await mailbox.pageOfInvitationTo(noor)],
    ['GraphQL', graphql.url],
    ["Contoso's key", tenant.apiKey],
  ];
  for (const [what = '', where = ''] of places) terminal.line(`  ${what.padEnd(22)} ${where}`);
  terminal.heading('Paste this to ask it something');
  terminal.line(curl(graphql.url, tenant.apiKey, dashboardQuery));
  terminal.heading('What guests do is shown here. Ctrl-C stops everything.');
}

function curl(url: string, apiKey: string, query: string): string {
  return [
    `curl -s ${url}`,
    `  -H 'authorization: Bearer ${apiKey}'`,
    "  -H 'content-type: application/json'",
    `  -d '${JSON.stringify({ query })}'`,
  ].join(' \\\n');
}
