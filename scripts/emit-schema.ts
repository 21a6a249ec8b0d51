/** Writes schema/schema.graphql from the code; CI fails when the committed file differs. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lexicographicSortSchema, printSchema } from 'graphql';
import { buildApiSchema } from '../src/api/schema.js';
import { Listener } from '../src/database/listener.js';
import { SecondFactorsService } from '../src/features/credentials/second-factors.service.js';
import { EntraOrganizations } from '../src/features/identity-providers/entra-organizations.service.js';
import { createSamlConnector } from '../src/features/identity-providers/saml.connector.js';
import { SamlProviders } from '../src/features/identity-providers/saml-providers.service.js';
import { MailLimits } from '../src/features/invitations/mail-limits.service.js';
import { ProvingService } from '../src/features/proving/proving.service.js';
import { RedemptionService } from '../src/features/redemption/redemption.service.js';
import { SessionsService } from '../src/features/sign-in/sessions.service.js';
import { TenantCache } from '../src/features/tenants/tenant-cache.service.js';
import { systemClock } from '../src/kernel/clock.js';
import { silentLog } from '../src/kernel/log.js';
import { createResolvers } from '../src/resolvers.js';

const publicUrl = new URL('http://localhost:4000');
const mailLimits = new MailLimits(1);
const tenants = new TenantCache(new Listener('', silentLog));
const formConnector = createSamlConnector({ clock: systemClock, publicUrl });
const admitMail = () => Promise.resolve();
const secondFactors = new SecondFactorsService(async () => undefined);
const sessions = new SessionsService({ clock: systemClock, idle: 1, lifetime: 1 });
const noRequest = () => Promise.reject(new Error('No request is made.'));
const saml = new SamlProviders({ fetch: noRequest, allowInsecure: false });
const organizations = new EntraOrganizations(noRequest);
const redemption = new RedemptionService(
  new ProvingService({ connectorFor: () => null, formConnector, admitMail, publicUrl, organizations }),
);
const schema = await buildApiSchema(
  createResolvers({
    publicUrl,
    allowPrivateProviders: false,
    saml,
    organizations,
    mailLimits,
    tenants,
    redemption,
    sessions,
    reviewAccess: async () => undefined,
    secondFactors,
  }),
);
const header = '# Made by `npm run schema` from the code; do not edit.\n\n';
await writeFile(
  join(process.cwd(), 'schema/schema.graphql'),
  `${header}${printSchema(lexicographicSortSchema(schema))}\n`,
);
