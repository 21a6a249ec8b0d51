/** What people can do while the demo stays up. */
import { dashboardQuery } from './outcome.js';
import type { Scene } from './story.js';
import type { Terminal } from './terminal.js';

const carla = 'carla.rossi@litware.example';
const ben = 'ben.okoro@fabrikam.example';

export async function showWhereToLook(terminal: Terminal, { gateway, graphql, mailbox }: Scene): Promise<void> {
  terminal.heading('Now you');
  const places = [
    ['Mailbox', mailbox.url],
    ['Be Carla (by passcode)', await mailbox.pageOfInvitationTo(carla)],
    ['Be Ben (by Fabrikam)', await mailbox.pageOfInvitationTo(ben)],
    ['GraphQL', graphql.url],
    ['API key', gateway.apiKey],
  ];
  for (const [what = '', where = ''] of places) terminal.line(`  ${what.padEnd(23)} ${where}`);
  terminal.line('\n  Paste this to ask it something:\n');
  terminal.line(`curl -s ${graphql.url} \\
  -H 'authorization: Bearer ${gateway.apiKey}' \\
  -H 'content-type: application/json' \\
  -d '${JSON.stringify({ query: dashboardQuery })}'`);
  terminal.line('\n  What guests do shows up here. Ctrl-C stops everything.');
}
