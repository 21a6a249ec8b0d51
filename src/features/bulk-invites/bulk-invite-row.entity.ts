/** One row as it came in, staged until the job reaches it, and what became of it. No foreign keys: rows come by the million. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { Field, Int, ObjectType } from 'type-graphql';
import { booleanColumn, idColumn, integerColumn, jsonColumn, keyColumn, textColumn } from '../../database/columns.js';
import type { UserErrorEntry } from '../../kernel/errors.js';
import { graphqlEnum } from '../../request/graphql-enum.js';
import { UserErrorType } from '../../request/user-error.type.js';
import type { StoredInput } from './stage-rows.js';

const bulkInviteRowOutcomes = ['WAITING', 'VALID', 'INVITED', 'REJECTED', 'CANCELLED'] as const;
export type BulkInviteRowOutcome = (typeof bulkInviteRowOutcomes)[number];
export const BulkInviteRowOutcomeEnum = graphqlEnum('BulkInviteRowOutcome', bulkInviteRowOutcomes);

@ObjectType({ simpleResolvers: true })
@Entity({ tableName: 'bulk_invite_row' })
export class BulkInviteRow {
  @PrimaryKey(idColumn())
  bulkInviteId!: string;

  @Field(() => Int, { description: '1 is the first row after the header; blank lines do not count.' })
  @PrimaryKey(integerColumn())
  rowNumber!: number;

  @Property(idColumn())
  tenantId!: string;

  @Field(() => String, { nullable: true, description: 'As written in the row.' })
  @Property({ ...textColumn(), nullable: true })
  email!: string | null;

  /** What rows of one address share; null where the address cannot be read. */
  @Property({ ...keyColumn(), nullable: true })
  emailKey!: string | null;

  /** The row's values in our column names, before defaults are applied and apps and groups are looked up. */
  @Property(jsonColumn())
  input!: StoredInput;

  /** As written when the row was worked off. A WAITING row of a finished batch is what the batch is: see `bulk-invites.queries.ts`. */
  @Field(() => BulkInviteRowOutcomeEnum)
  @Property(textColumn())
  outcome!: BulkInviteRowOutcome;

  /** Of a WAITING row: what reading it found, so that it will be REJECTED. */
  @Field(() => [UserErrorType])
  @Property(jsonColumn())
  errors!: UserErrorEntry[];

  /** `errors` say what reading the row found, so that trying it again finds the same. */
  @Property(booleanColumn())
  isUnreadable!: boolean;

  @Property({ ...idColumn(), nullable: true })
  invitationId!: string | null;
}
