/** Who signed in at a provider that does not say whose the address is, until a passcode says it. */
import { Migration } from '@mikro-orm/migrations';

export class Migration20261122AddressByPasscode extends Migration {
  override name = '20261122-address-by-passcode';

  override up(): void {
    this.addSql('alter table redemption_flow add column unaddressed_identity jsonb;');
  }
}
