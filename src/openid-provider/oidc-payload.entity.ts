/** What the protocol library remembers: one row per code, token, grant, session or interaction. Written by `payload-adapter.ts`. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { idColumn, keyColumn, secretColumn, timeColumn } from '../database/columns.js';

@Entity({ tableName: 'oidc_payload' })
export class OidcPayload {
  @PrimaryKey(idColumn())
  tenantId!: string;

  /** The library's name of its kind, e.g. `RefreshToken`. */
  @PrimaryKey(keyColumn())
  model!: string;

  /** SHA-256: for most models the id is the bearer secret itself. */
  @PrimaryKey(secretColumn())
  idHash!: Buffer;

  /** The library's JSON. */
  @Property(secretColumn())
  sealedPayload!: Buffer;

  @Property({ ...idColumn(), nullable: true })
  appId!: string | null;

  @Property({ ...idColumn(), nullable: true })
  externalUserId!: string | null;

  /** The `idHash` of the grant it belongs to; what is revoked together shares it. */
  @Property({ ...secretColumn(), nullable: true })
  grantHash!: Buffer | null;

  @Property({ ...secretColumn(), nullable: true })
  uidHash!: Buffer | null;

  /** HMAC: a user code is short enough to be guessed from a plain hash. */
  @Property({ ...secretColumn(), nullable: true })
  userCodeHash!: Buffer | null;

  @Property({ ...timeColumn(), nullable: true })
  consumedAt!: Date | null;

  @Property(timeColumn())
  expiresAt!: Date;
}
