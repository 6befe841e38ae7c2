import { readdir, readFile } from 'node:fs/promises';

/** @returns all processes but this one and those of other test files, which may have a credential of their own */
export async function processesToSearch(): Promise<string[]> {
  const parents = new Map<string, string>();
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const stat = await readProcess(pid, 'stat');
    // "pid (name) state parent …": a name may contain blanks and parentheses.
    parents.set(pid, stat.slice(stat.lastIndexOf(')')).split(' ')[2] ?? '');
  }
  const [own, runner] = [String(process.pid), String(process.ppid)];
  /** Returns the child of the test runner that is the process or one of its ancestors, if there is one. */
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

/** @returns an empty string if the process has ended */
export function readProcess(pid: string, file: 'stat' | 'cmdline' | 'environ'): Promise<string> {
  return readFile(`/proc/${pid}/${file}`, 'latin1').catch(() => '');
}
