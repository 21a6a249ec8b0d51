/**
 * One fact in a tenant's feed. (epoch, xid, seq) is its place: rows are read up to the oldest transaction still open, so
 * that no earlier place can appear later. No foreign keys: facts outlive what they tell of.
 */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { idColumn, integerColumn, textArrayColumn, textColumn, timeColumn } from '../database/columns.js';
import type { ActorKind } from '../kernel/actor.js';
import type { UserErrorCode } from '../kernel/errors.js';
import type { RedemptionEventType } from './catalogue.js';

@Entity({ tableName: 'event' })
export class Event {
  /** Raised when the database was moved to a cluster whose transaction ids start lower. */
  @PrimaryKey({ ...integerColumn(), defaultRaw: 'current_feed_epoch()' })
  epoch!: number;

  @PrimaryKey({ type: 'string', columnType: 'xid8', defaultRaw: 'pg_current_xact_id()' })
  xid!: string;

  @PrimaryKey({ type: 'bigint', autoincrement: true })
  seq!: string;

  @Property(idColumn())
  tenantId!: string;

  @Property(textColumn())
  type!: RedemptionEventType;

  @Property(timeColumn())
  at!: Date;

  @Property({ ...textColumn(), nullable: true })
  actorKind!: ActorKind | null;

  @Property({ ...textColumn(), nullable: true })
  actorName!: string | null;

  @Property({ ...textColumn(), nullable: true })
  reason!: UserErrorCode | null;

  @Property({ ...textColumn(), nullable: true })
  detail!: string | null;

  @Property(idColumn())
  invitationId!: string;

  @Property({ ...idColumn(), nullable: true })
  externalUserId!: string | null;

  @Property({ ...idColumn(), nullable: true })
  bulkInviteId!: string | null;

  @Property(textArrayColumn())
  appIds!: string[];
}
