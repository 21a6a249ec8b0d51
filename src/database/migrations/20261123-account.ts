/** Which address a session's sign-in proved: what a guest's change of address asks for besides proof of the new one. */
import { Migration } from '@mikro-orm/migrations';

export class Migration20261123Account extends Migration {
  override name = '20261123-account';

  override up(): void {
    this.addSql('alter table guest_session add column proven_email_key text collate "C"');
  }
}
