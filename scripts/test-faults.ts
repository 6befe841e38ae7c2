/**
 * `npm run test:faults [-- --minutes N]`: runs the fault suite, on real processes only, and prints counts of what it
 * did. With `--minutes`, it runs the fixed cases once in their long form, then random schedules for N minutes.
 */
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { REPORT_VARIABLE, type Report } from '../test/faults/report.ts';
import { VIOLATION_KINDS } from '../test/faults/violation.ts';

/** The number of test files that run at once: they mostly wait. */
const CONCURRENCY = 4;
const RANDOM = 'test/faults/random.test.ts';

const NAMES: Record<(typeof VIOLATION_KINDS)[number], string> = {
  'record wrong': 'records wrong',
  'build lost': 'builds lost',
  'triggered twice': 'triggered twice',
  'polled too soon': 'polled too soon',
};

const { values: options } = parseArgs({ options: { minutes: { type: 'string' } } });
const { minutes } = options;
if (minutes !== undefined && !(Number(minutes) > 0)) {
  process.stderr.write('--minutes must be a number above 0\n');
  process.exit(2);
}

const cwd = fileURLToPath(new URL('..', import.meta.url));
const all = globSync('test/faults/*.test.ts', { cwd }).map((file) => file.replaceAll('\\', '/'));
const fixed = all.filter((file) => file !== RANDOM);
const folder = mkdtempSync(join(tmpdir(), 'fault-report-'));
const reportFile = join(folder, 'report.jsonl');

const passed = minutes === undefined ? run(all) : [run(fixed), run([RANDOM])].every(Boolean);
const reports = readReports();
process.stdout.write(`\n${counts(reports)}\n`);
rmSync(folder, { recursive: true, force: true });
process.exitCode = passed ? 0 : 1;

function run(files: readonly string[]): boolean {
  const { status } = spawnSync(
    process.execPath,
    ['--test', '--test-global-setup=test/support/global-setup.ts', `--test-concurrency=${CONCURRENCY}`, ...files],
    {
      cwd,
      stdio: 'inherit',
      env: {
        ...process.env,
        [REPORT_VARIABLE]: reportFile,
        ...(minutes === undefined ? {} : { FAULTS_MINUTES: minutes }),
      },
    },
  );
  return status === 0;
}

function readReports(): Report[] {
  try {
    const lines = readFileSync(reportFile, 'utf8').trimEnd().split('\n');
    return lines.map((line) => JSON.parse(line) as Report);
  } catch {
    // No test file got as far as writing its report.
    return [];
  }
}

/** Formats one line for each count; those that must be 0 come last. */
function counts(found: readonly Report[]): string {
  const kinds = [...new Set(found.flatMap(({ faults }) => Object.keys(faults)))].sort();
  const sum = (of: (report: Report) => number | undefined) => found.reduce((total, one) => total + (of(one) ?? 0), 0);
  const byKind = kinds.map((kind) => [kind, sum(({ faults }) => faults[kind])] as const);
  const rows: (readonly [string, number])[] = [
    ['faults injected', byKind.reduce((total, [, count]) => total + count, 0)],
    ...byKind.map(([kind, count]) => [`  ${kind}`, count] as const),
    ['random schedules', sum(({ schedules }) => schedules)],
    ['builds run', sum(({ builds }) => builds)],
    ...VIOLATION_KINDS.map((kind) => [NAMES[kind], sum(({ violations }) => violations[kind])] as const),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, count]) => `${name.padEnd(width)}  ${String(count).padStart(6)}`).join('\n');
}
