/**
 * One gateway per DATA_DIR: a lock file that names its holder. A holder killed without notice leaves the file behind; the next
 * start takes it over. Many gateways on one database is the normal case, but then the database is an external one.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** @throws Error when a live process, be it this one, holds the directory. */
export function lockDataDir(dataDir: string): { release(): void } {
  const path = join(dataDir, 'lock');
  const self = holderOf(process.pid);
  const earlier = readLock(path);
  if (earlier !== null && !isLive(earlier)) rmSync(path, { force: true });
  try {
    writeFileSync(path, self, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new Error(
      `Another gateway (process ${readLock(path)?.split(' ')[0]}) is using ${dataDir}. Stop it, or set DATA_DIR to another directory, or set DATABASE_URL to share one database.`,
    );
  }
  return {
    release: () => {
      if (readLock(path) === self) rmSync(path);
    },
  };
}

function readLock(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function isLive(holder: string): boolean {
  const pid = Number(holder.split(' ')[0]);
  return pid > 0 && holderOf(pid) === holder;
}

/**
 * `<pid> <start>`: numbers of dead processes are given out again, in containers often the very same one, so the start time goes
 * with it. `/proc/<pid>/stat` (proc_pid_stat(5)) has the state in field 3 and the start, in ticks since boot, in field 22;
 * where there is no /proc the number alone has to do.
 */
function holderOf(pid: number): string {
  const fields = readLock(`/proc/${pid}/stat`)?.split(') ').at(-1)?.split(' ');
  if (fields) return fields[0] === 'Z' ? `${pid} ended` : `${pid} ${fields[19]}`;
  return isRunning(pid) ? `${pid} running` : `${pid} ended`;
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
