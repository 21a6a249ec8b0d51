/** One tenant to invite into, and the operations of an inviter as short calls. */
import { type GatewayOptions, startTestGateway, type TestGateway } from '../../support/gateway.js';

const FIELDS = `id email displayName status delivery deliveryError sendCount language message ccRecipients createdAt expiresAt
  sentAt lastSentAt revokedAt expiredAt isResendable isRevocable
  apps { displayName } groups { displayName } landingApp { displayName } invitedBy { kind displayName }`;
const PAYLOAD = `invitation { ${FIELDS} } userErrors { code field message retryAfterSeconds }`;
const INVITE_PAYLOAD = `${PAYLOAD} existingInvitation { id } externalUser { id email userPrincipalName state userType creationType } redeemUrl warnings`;

// biome-ignore lint/suspicious/noExplicitAny: tests read what they asked for
type Payload = any;

export async function openInvitationGround(options: GatewayOptions = {}) {
  const gateway = await startTestGateway(options);
  const tenant = await gateway.createTenant({ ownDomains: ['contoso.example'] });
  const run = async (document: string, variables: object, key = gateway.bootstrapKey): Promise<Payload> => {
    const { data, errors } = await gateway.gql(document, variables, { key });
    if (errors) throw new Error(JSON.stringify(errors));
    return data.result;
  };
  const ground = {
    gateway,
    tenant,
    /** Of the tenant of the ground, without a mail, unless the input says otherwise. */
    invite: (input: object, key?: string) =>
      run(
        `mutation ($input: InviteUserInput!) { result: inviteUser(input: $input) { ${INVITE_PAYLOAD} } }`,
        { input: { tenantId: tenant.id, sendMail: false, ...input } },
        key,
      ),
    resend: (id: string) =>
      run(`mutation ($id: ID!) { result: resendInvitation(input: { invitationId: $id }) { ${INVITE_PAYLOAD} } }`, {
        id,
      }),
    revoke: (id: string) =>
      run(`mutation ($id: ID!) { result: revokeInvitation(input: { invitationId: $id }) { ${PAYLOAD} } }`, { id }),
    read: (id: string) => run(`query ($id: ID!) { result: node(id: $id) { ... on Invitation { ${FIELDS} } } }`, { id }),
    /** Types of its events, oldest first. */
    events: async (id: string): Promise<{ type: string; detail: string | null; at: string }[]> =>
      (
        await run(
          'query ($id: ID!) { result: node(id: $id) { ... on Invitation { events { nodes { type detail at } } } } }',
          { id },
        )
      ).events.nodes.reverse(),
    /** What the link says to a guest: null when it opens the invitation. */
    openLink: async (redeemUrl: string): Promise<string | null> => {
      const { data } = await gateway.gql(
        'mutation ($token: String!) { beginRedemption(input: { token: $token }) { userErrors { code } } }',
        { token: new URL(redeemUrl).pathname.split('/').at(-1) },
        { key: null },
      );
      return data.beginRedemption.userErrors[0]?.code ?? null;
    },
    runJob: (task: string) => gateway.sql('select graphile_worker.add_job($1)', [task]),
  };
  return ground;
}

export type InvitationGround = Awaited<ReturnType<typeof openInvitationGround>>;
export type { TestGateway };
