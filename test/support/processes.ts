import { readdir, readFile } from 'node:fs/promises';

/** @returns all processes of the machine but this one and those of test files beside it, which may hold a credential by right */
export async function processesToSearch(): Promise<string[]> {
  const parents = new Map<string, string>();
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const stat = await readProcess(pid, 'stat');
    // "pid (name) state parent …": a name may have blanks and parentheses.
    parents.set(pid, stat.slice(stat.lastIndexOf(')')).split(' ')[2] ?? '');
  }
  const [own, runner] = [String(process.pid), String(process.ppid)];
  /** The runner's child that a process is or comes of, if it does. */
  const childOfRunner = (pid: string | undefined): string | undefined =>
    pid === undefined || parents.get(pid) === runner ? pid : childOfRunner(parents.get(pid));
  const found: string[] = [];
  for (const pid of parents.keys()) {
    const child = childOfRunner(pid);
    const isBeside = child !== undefined && child !== own && (await readProcess(child, 'cmdline')).includes('.test.ts');
    if (pid !== own && !isBeside) found.push(pid);
  }
  return found;
}

/** @returns nothing of a process that has ended */
export function readProcess(pid: string, file: 'stat' | 'cmdline' | 'environ'): Promise<string> {
  return readFile(`/proc/${pid}/${file}`, 'latin1').catch(() => '');
}
