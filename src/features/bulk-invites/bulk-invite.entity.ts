/** Many invitations asked for at once: an object of its own with rows, progress and results. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { Field, ID, Int, ObjectType } from 'type-graphql';
import {
  booleanColumn,
  idColumn,
  integerColumn,
  jsonColumn,
  textArrayColumn,
  textColumn,
  timeColumn,
} from '../../database/columns.js';
import type { ActorKind } from '../../kernel/actor.js';
import type { UserErrorEntry } from '../../kernel/errors.js';
import { graphqlEnum } from '../../request/graphql-enum.js';
import { Node } from '../../request/node.js';
import { UserErrorType } from '../../request/user-error.type.js';
import type { BulkInviteDefaults, BulkInviteSource } from './bulk-invite-request.js';

const bulkInviteStatuses = ['RECEIVING', 'QUEUED', 'RUNNING', 'COMPLETED', 'CANCELLED', 'FAILED'] as const;
export type BulkInviteStatus = (typeof bulkInviteStatuses)[number];
const BulkInviteStatusEnum = graphqlEnum('BulkInviteStatus', bulkInviteStatuses);

/** Nothing about it changes any more, except what becomes of its invitations. Its WAITING rows are never reached. */
export function isFinished(status: BulkInviteStatus): boolean {
  return status === 'COMPLETED' || status === 'CANCELLED' || status === 'FAILED';
}

export const bulkErrorPolicies = ['IGNORE_FAILED', 'REJECT_EVERYTHING'] as const;
export type BulkErrorPolicy = (typeof bulkErrorPolicies)[number];
export const BulkErrorPolicyEnum = graphqlEnum('BulkErrorPolicy', bulkErrorPolicies);

@ObjectType({ implements: Node, simpleResolvers: true, description: 'Many invitations asked for at once.' })
@Entity({ tableName: 'bulk_invite' })
export class BulkInvite implements Node {
  @Field(() => ID)
  @PrimaryKey(idColumn())
  id!: string;

  @Property(idColumn())
  tenantId!: string;

  @Property(textColumn())
  createdByKind!: ActorKind;

  @Property({ ...idColumn(), nullable: true })
  createdById!: string | null;

  @Property(textColumn())
  createdByName!: string;

  @Field(() => String, { nullable: true })
  @Property({ ...textColumn(), nullable: true })
  fileName!: string | null;

  @Property(textColumn())
  source!: BulkInviteSource;

  @Property(jsonColumn())
  defaults!: BulkInviteDefaults;

  @Field(() => BulkInviteStatusEnum)
  @Property(textColumn())
  status!: BulkInviteStatus;

  @Field(() => Boolean)
  @Property(booleanColumn())
  dryRun!: boolean;

  @Field(() => BulkErrorPolicyEnum)
  @Property(textColumn())
  errorPolicy!: BulkErrorPolicy;

  @Field(() => Int)
  @Property(integerColumn())
  totalRows!: number;

  /** The last row worked off; rows are taken in order, so this is where a job resumes. */
  @Field(() => Int)
  @Property(integerColumn())
  processedRows!: number;

  @Field(() => Int)
  @Property(integerColumn())
  invitedRows!: number;

  @Field(() => Int)
  @Property(integerColumn())
  rejectedRows!: number;

  @Field(() => Int)
  @Property(integerColumn())
  cancelledRows!: number;

  /** Of REJECT_EVERYTHING, before anything is worked off: the last row checked. */
  @Property(integerColumn())
  checkedRows!: number;

  /** Mails that the rows found good so far would send: they count against the tenant's quota, though nothing was sent. */
  @Property(integerColumn())
  checkedMails!: number;

  /** The batch whose REJECTED rows are still to be copied into this one; null when there are none. */
  @Property({ ...idColumn(), nullable: true })
  rowsFromId!: string | null;

  /** Row number over there up to which they were. */
  @Property(integerColumn())
  rowsFromPlace!: number;

  @Field(() => [String])
  @Property(textArrayColumn())
  warnings!: string[];

  @Field(() => [UserErrorType], { description: 'Why it FAILED.' })
  @Property(jsonColumn())
  errors!: UserErrorEntry[];

  /** While RECEIVING: when its upload last showed that it lives, by the database's clock. */
  @Property({ ...timeColumn(), nullable: true })
  receivedAt!: Date | null;

  @Field(() => Date)
  @Property(timeColumn())
  createdAt!: Date;

  @Field(() => Date, { nullable: true })
  @Property({ ...timeColumn(), nullable: true })
  startedAt!: Date | null;

  @Field(() => Date, { nullable: true })
  @Property({ ...timeColumn(), nullable: true })
  finishedAt!: Date | null;
}
