/** Fixture of the tests of `batch`: a stack with a worker, and a temporary folder of files and reports. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import type { Simulate } from '../../dev/simulated-build-api/server.ts';
import type { CliResult, StackOptions } from '../../dev/stack.ts';
import type { ReportLine } from '../../src/cli/commands/batch/report.ts';
import { CREDENTIAL, inputFor, parseJson, startTestStack, type TestStack } from './stack.ts';

export type Given = Record<string, unknown>;

/** Returns the totals in a batch's JSON. */
export function countsOf(result: CliResult) {
  const { started, started_before, on_their_way } = parseJson(result);
  return { started, started_before, on_their_way };
}

/** Registers its hooks; call it inside a suite. */
export function batchFixture({ settings, ...options }: StackOptions = {}) {
  let stack: TestStack;
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'batch-'));
    stack = await startTestStack({ ...options, settings: { ENCRYPTED_JWT: CREDENTIAL, ...settings } });
    await stack.startWorker();
  });
  after(async () => {
    await stack.stop();
    await rm(folder, { recursive: true });
  });

  /** Makes a line of a batch file, without the fields that a line may omit. */
  const line = (name: string, simulate: Simulate = { polls: 0 }, more: Given = {}): Given => {
    const { build_body, ddb_composite_sort_key, url } = inputFor(stack, name, simulate);
    return { build_body, ddb_composite_sort_key, url, poll_interval_seconds: 1, poll_spread_seconds: 0, ...more };
  };
  const lines = (prefix: string, count: number, simulate?: (i: number) => Simulate) =>
    Array.from({ length: count }, (_, i) => line(`${prefix}-${i + 1}`, simulate?.(i)));
  const write = async (name: string, content: readonly unknown[] | string) => {
    const path = join(folder, name);
    const text = typeof content === 'string' ? content : content.map((one) => `${JSON.stringify(one)}\n`).join('');
    await writeFile(path, text);
    return path;
  };
  const reportPath = (name: string) => join(folder, `${name}.report`);
  const readReport = async (name: string): Promise<ReportLine[]> =>
    (await readFile(reportPath(name), 'utf8'))
      .split('\n')
      .filter((text) => text !== '')
      .map((text) => JSON.parse(text) as ReportLine)
      .sort((a, b) => a.line - b.line);
  const args = (file: string, report: string, ...more: string[]) => [
    'batch',
    file,
    '--report',
    reportPath(report),
    '--json',
    ...more,
  ];
  /** Returns how often the build API was asked for each role of a batch. */
  const postsOf = (prefix: string): Map<string, number> => {
    const posts = new Map<string, number>();
    for (const { method, body } of stack.buildApi.requests()) {
      if (method !== 'POST') continue;
      const { custom_role_name: role } = JSON.parse(body) as { custom_role_name: string };
      if (role.startsWith(`${prefix}-`)) posts.set(role, (posts.get(role) ?? 0) + 1);
    }
    return posts;
  };

  return {
    get stack() {
      return stack;
    },
    get folder() {
      return folder;
    },
    line,
    lines,
    write,
    reportPath,
    readReport,
    args,
    postsOf,
  };
}
