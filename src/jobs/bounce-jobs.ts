/** The mailbox that bounces come to, read every minute by one process. What is no report is left lying, marked as seen. */
import type { BounceReport, BounceVerdict } from '../kernel/bounce-report.js';
import type { BounceMailbox } from '../mail/bounce-mailbox.js';
import { readDeliveryReport } from '../mail/delivery-report.js';
import type { RequestContext } from '../request/request-context.js';

export const READ_BOUNCES_TASK = 'read_bounces';

export async function readBounces(
  ctx: RequestContext,
  mailbox: BounceMailbox,
  judge: (report: BounceReport) => Promise<BounceVerdict>,
): Promise<void> {
  const counts = { RECORDED: 0, KNOWN: 0, IGNORED: 0 };
  await mailbox.read(async (raw) => {
    const report = await readDeliveryReport(raw);
    counts[report ? (await judge(report)).outcome : 'IGNORED']++;
  });
  if (counts.RECORDED + counts.KNOWN + counts.IGNORED > 0) ctx.log.info(counts, 'the mailbox of bounces was read');
}
