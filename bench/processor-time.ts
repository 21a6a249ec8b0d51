/** Processor time of processes, which other work on the machine disturbs far less than the time that passes. Linux only. */
import { readdirSync, readFileSync } from 'node:fs';

/** Of the kernel's accounting: fixed at 100 a second on every platform that has /proc. */
const TICKS_PER_SECOND = 100;

interface Usage {
  parent: number;
  own: number;
  /** Of children that have ended. */
  reaped: number;
}

/** Seconds, of a process and of all its children, living or ended; 0 where there is no /proc. */
export function processorSeconds(pid: number): number {
  const usages = readUsages();
  const root = usages.get(pid);
  if (!root) return 0;
  const children = [...usages.values()].filter(({ parent }) => parent === pid);
  return [root, ...children].reduce((sum, { own, reaped }) => sum + own + reaped, 0) / TICKS_PER_SECOND;
}

/** 0 when it is gone, or where there is no /proc. */
export function parentOf(pid: number): number {
  return readUsage(String(pid))?.parent ?? 0;
}

function readUsages(): Map<number, Usage> {
  const pids = readdir('/proc').filter((name) => /^\d+$/.test(name));
  return new Map(
    pids.flatMap((pid) => {
      const usage = readUsage(pid);
      return usage ? [[Number(pid), usage] as const] : [];
    }),
  );
}

/** proc(5): fields behind the name in brackets, which may hold blanks. */
function readUsage(pid: string): Usage | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const [parent = 0, utime = 0, stime = 0, cutime = 0, cstime = 0] = [1, 11, 12, 13, 14].map((at) => fields[at]);
    return { parent, own: utime + stime, reaped: cutime + cstime };
  } catch {
    // Ended meanwhile.
    return null;
  }
}

function readdir(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
