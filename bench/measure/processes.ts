/** Reads CPU time and memory of processes from Linux's /proc. https://man7.org/linux/man-pages/man5/proc.5.html */
import { readdirSync, readFileSync } from 'node:fs';

/** The unit in which Linux shows times to user space, independent of the kernel's own. */
const TICKS_PER_SECOND = 100;

interface Stat {
  pid: number;
  parent: number;
  /** Those of the process and of its children that have ended. */
  ticks: number;
}

/** Returns the CPU time so far of a process and its descendants in milliseconds; NaN if there is no /proc. */
export function cpuMsOf(pid: number | undefined): number {
  if (pid === undefined) return NaN;
  const ticks = tree(pid).reduce((sum, stat) => sum + stat.ticks, 0);
  return ticks === 0 ? NaN : (ticks / TICKS_PER_SECOND) * 1000;
}

/** Returns the resident memory of one process in MiB; NaN if there is no /proc. */
export function residentMbOf(pid: number): number {
  try {
    const kb = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kb) / 1024;
  } catch {
    return NaN;
  }
}

function tree(root: number): Stat[] {
  const all = processes();
  const found = all.filter(({ pid }) => pid === root);
  for (const parent of found) found.push(...all.filter((one) => one.parent === parent.pid));
  return found;
}

function processes(): Stat[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => statOf(name));
  } catch {
    return [];
  }
}

function statOf(name: string): Stat[] {
  try {
    const line = readFileSync(`/proc/${name}/stat`, 'utf8');
    // The second field is the program's name in brackets, which may contain spaces and brackets.
    const fields = line
      .slice(line.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const [user = 0, system = 0, usersChildren = 0, systemsChildren = 0] = fields.slice(11, 15);
    return [{ pid: Number(name), parent: fields[1] ?? 0, ticks: user + system + usersChildren + systemsChildren }];
  } catch {
    return [];
  }
}
