/** Migrations in the order they run; forward only. A list instead of a folder scan: the same in source, build and tests. */
import { Migration20261120InitialSchema } from './20261120-initial-schema.js';
import { Migration20261121BulkRuns } from './20261121-bulk-runs.js';
import { Migration20261121Saml } from './20261121-saml.js';
import { Migration20261121Uploads } from './20261121-uploads.js';
import { Migration20261122AddressByPasscode } from './20261122-address-by-passcode.js';
import { Migration20261122OpenIdConnectPresets } from './20261122-openid-connect-presets.js';
import { Migration20261122Routing } from './20261122-routing.js';
import { Migration20261123Account } from './20261123-account.js';
import { Migration20261123DeletedUsers } from './20261123-deleted-users.js';
import { Migration20261123Sessions } from './20261123-sessions.js';
import { Migration20261123SignInFlows } from './20261123-sign-in-flows.js';
import { Migration20261124Credentials } from './20261124-credentials.js';
import { Migration20261125AppUse } from './20261125-app-use.js';
import { Migration20261125OpenidProvider } from './20261125-openid-provider.js';
import { Migration20261125Operators } from './20261125-operators.js';
import { Migration20261126PartnerTerms } from './20261126-partner-terms.js';
import { Migration20261126RateCounts } from './20261126-rate-counts.js';
import { Migration20261126SamlKeys } from './20261126-saml-keys.js';
import { Migration20261126SamlUnrequested } from './20261126-saml-unrequested.js';
import { Migration20261126Terms } from './20261126-terms.js';
import { Migration20261126Unsubscribe } from './20261126-unsubscribe.js';
import { Migration20261127Inviters } from './20261127-inviters.js';

export const migrations = [
  { name: '20261120-initial-schema', class: Migration20261120InitialSchema },
  { name: '20261121-bulk-runs', class: Migration20261121BulkRuns },
  { name: '20261121-uploads', class: Migration20261121Uploads },
  { name: '20261121-saml', class: Migration20261121Saml },
  { name: '20261122-routing', class: Migration20261122Routing },
  { name: '20261122-openid-connect-presets', class: Migration20261122OpenIdConnectPresets },
  { name: '20261122-address-by-passcode', class: Migration20261122AddressByPasscode },
  { name: '20261123-sessions', class: Migration20261123Sessions },
  { name: '20261123-sign-in-flows', class: Migration20261123SignInFlows },
  { name: '20261123-account', class: Migration20261123Account },
  { name: '20261123-deleted-users', class: Migration20261123DeletedUsers },
  { name: '20261124-credentials', class: Migration20261124Credentials },
  { name: '20261125-openid-provider', class: Migration20261125OpenidProvider },
  { name: '20261125-app-use', class: Migration20261125AppUse },
  { name: '20261125-operators', class: Migration20261125Operators },
  { name: '20261126-terms', class: Migration20261126Terms },
  { name: '20261126-unsubscribe', class: Migration20261126Unsubscribe },
  { name: '20261126-rate-counts', class: Migration20261126RateCounts },
  { name: '20261126-partner-terms', class: Migration20261126PartnerTerms },
  { name: '20261126-saml-keys', class: Migration20261126SamlKeys },
  { name: '20261126-saml-unrequested', class: Migration20261126SamlUnrequested },
  { name: '20261127-inviters', class: Migration20261127Inviters },
];
