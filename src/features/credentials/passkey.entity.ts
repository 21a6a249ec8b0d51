/** A passkey (WebAuthn credential): its public key, and how far its counter went. Known in one tenant only. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import {
  booleanColumn,
  idColumn,
  keyColumn,
  secretColumn,
  textArrayColumn,
  textColumn,
  timeColumn,
} from '../../database/columns.js';

@Entity({ tableName: 'passkey' })
export class Passkey {
  @PrimaryKey(idColumn())
  id!: string;

  @Property(idColumn())
  tenantId!: string;

  @Property(idColumn())
  externalUserId!: string;

  /** As the authenticator names it, base64url. */
  @Property(keyColumn())
  credentialId!: string;

  /** COSE */
  @Property(secretColumn())
  publicKey!: Buffer;

  /** Of signatures; 0 for ever where the authenticator keeps none. */
  @Property({ type: 'bigint' })
  counter!: string;

  @Property(textArrayColumn())
  transports!: string[];

  /** Copied between the devices of its owner. */
  @Property(booleanColumn())
  isSynced!: boolean;

  /** By which its owner knows it. */
  @Property(textColumn())
  label!: string;

  @Property(timeColumn())
  createdAt!: Date;

  @Property({ ...timeColumn(), nullable: true })
  lastUsedAt!: Date | null;
}
