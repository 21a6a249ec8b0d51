/** Reads of API keys: plain rows, without the hash of the secret. */
import { sql } from 'kysely';
import type { Row } from '../../database/table.js';
import { type ListSource, newestFirst } from '../../request/connection.js';
import type { RequestContext } from '../../request/request-context.js';
import { ApiKey } from './api-key.entity.js';

export type ApiKeyRow = Row<ApiKey>;

export function apiKeysOfTenant(ctx: RequestContext): ListSource {
  return {
    name: 'apiKeys',
    columns: ctx.tables.columns(ApiKey, 'k'),
    from: sql`from api_key k where k.tenant_id = parent.id`,
    id: sql`k.id`,
    order: newestFirst(sql`k.created_at`),
  };
}
