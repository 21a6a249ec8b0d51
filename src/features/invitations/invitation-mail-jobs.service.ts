/** The mail jobs of an invitation: one for the guest's mail and one for each copy, because a refused copy must not repeat the guest's mail. */
import { jobPriority, type NewJob } from '../../database/add-job.js';

export const INVITATION_MAIL_TASK = 'send_invitation_mail';
export const INVITATION_COPY_TASK = 'send_invitation_copy';

/** @param copies places in the list of cc recipients. */
export function mailJobs(invitationId: string, linkVersion: number, copies: Iterable<number>, bulk: boolean): NewJob[] {
  const priority = bulk ? jobPriority.bulkMail : jobPriority.single;
  const guest = {
    task: INVITATION_MAIL_TASK,
    payload: { invitationId, linkVersion },
    jobKey: mailJobKey(invitationId, linkVersion),
    priority,
  };
  const copyJobs = Array.from(copies, (copy) => ({
    task: INVITATION_COPY_TASK,
    payload: { invitationId, linkVersion, copy },
    jobKey: `${mailJobKey(invitationId, linkVersion)}/copy/${copy}`,
    priority,
  }));
  return [guest, ...copyJobs];
}

export function mailJobKey(invitationId: string, linkVersion: number): string {
  return `invitation-mail/${invitationId}/${linkVersion}`;
}
