/**
 * `npm run test:tools [-- --allow-missing]`: the tests that need more than `npm test` does: a package registry, Chromium,
 * Go and Python (the schemas of Kubernetes' objects, encrypted payloads, AWS's CLI; kubectl where there is one), jq, Prometheus, Samba (as
 * root), or AWS's own DynamoDB Local (Java, and Maven to get it). Says what could not be run for want of a tool, and fails then, unless
 * `--allow-missing` is given.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { accessSync } from 'node:fs';
import { parseArgs } from 'node:util';
import PQueue from 'p-queue';
import { startDynamoDb } from '../dev/servers/dynamodb.ts';
import { findPrometheus, findPromtool } from '../dev/servers/prometheus.ts';

interface Tool {
  name: string;
  /** @throws Error that says what is missing */
  check: () => Promise<void> | void;
}

const npm: Tool = { name: 'npm', check: () => answers('npm', ['--version']) };
const dynamoDbLocal: Tool = {
  name: 'DynamoDB Local',
  async check() {
    answers('java', ['-version']);
    const server = await startDynamoDb({ kind: 'dynamodb-local' });
    await server.stop();
  },
};

const chromium: Tool = {
  name: 'Chromium',
  check: () => answers(process.env['CHROMIUM'] ?? '/usr/bin/chromium', ['--version']),
};

const go: Tool = { name: 'Go', check: () => answers('go', ['version']) };
const python: Tool = { name: 'Python with pip', check: () => answers('python3', ['-m', 'pip', '--version']) };
const jq: Tool = { name: 'jq', check: () => answers('jq', ['--version']) };
const prometheus: Tool = {
  name: 'Prometheus',
  async check() {
    answers(await findPrometheus(), ['--version']);
    answers(await findPromtool(), ['--version']);
  },
};

const samba: Tool = {
  name: "Samba's domain controller",
  check() {
    answers('samba', ['--version']);
    // Of a package of its own, samba-ad-provision.
    accessSync('/usr/share/samba/setup/provision.ldif');
    if (process.getuid?.() !== 0) throw new Error('only root may listen on the port of LDAPS');
  },
};

/** Files at a time: they mostly wait. */
const CONCURRENCY = 4;
/** One Temporal server and one build for all files of a suite. */
const GLOBAL_SETUP = '--test-global-setup=test/support/global-setup.ts';

interface Suite {
  title: string;
  files: string[];
  needs: Tool[];
  env?: Record<string, string>;
  /** Arguments of Node.js' test runner, which replace the global setup. */
  args?: string[];
}

/** The first suite builds `dist`, which the others run. The longest of those come first. */
const SUITES: readonly [Suite, ...Suite[]] = [
  { title: 'the package', files: ['test/tools/package.test.ts'], needs: [npm] },
  { title: "the documents' commands", files: ['test/tools/documents/*.test.ts'], needs: [npm, python, jq] },
  { title: 'metrics, dashboard and alerts', files: ['test/tools/observability/*.test.ts'], needs: [prometheus] },
  { title: 'groups in Active Directory', files: ['test/tools/directory/*.test.ts'], needs: [samba] },
  {
    title: 'what depends on DynamoDB, on DynamoDB Local',
    files: [
      'test/records/**/*.test.ts',
      'test/end-to-end/{success,dynamodb-faults,take-over}.test.ts',
      'test/slow/{doctor-items,least-privilege}.test.ts',
    ],
    needs: [dynamoDbLocal],
    env: { DYNAMODB: 'dynamodb-local' },
  },
  { title: 'the images', files: ['test/tools/image-steps.test.ts'], needs: [npm] },
  { title: 'the Web UI', files: ['test/tools/web-ui/*.test.ts'], needs: [chromium] },
  {
    title: 'the Kubernetes manifests',
    files: ['test/tools/kubernetes/*.test.ts'],
    needs: [go, python, prometheus],
    // Most files use the same variants, so that one process renders each only once. They need no server, and one that
    // this process started would keep it from ending.
    args: ['--test-isolation=none'],
  },
  { title: 'encrypted payloads, read by Python', files: ['test/tools/encryption/*.test.ts'], needs: [python] },
];

const { values: options } = parseArgs({ options: { 'allow-missing': { type: 'boolean', default: false } } });

interface Result {
  title: string;
  outcome: 'passed' | 'failed' | 'not run';
  why?: string;
}

const [first, ...others] = SUITES;
// The suites mostly wait: for scrapes, for replication, for a JVM.
const queue = new PQueue({ concurrency: 3 });
const results = [await run(first), ...(await queue.addAll(others.map((suite) => () => run(suite))))];

process.stderr.write('\n');
for (const { title, outcome, why } of results) {
  process.stderr.write(`${outcome.padEnd(8)}${title}${why === undefined ? '' : `: ${why}`}\n`);
}
const bad = options['allow-missing'] ? ['failed'] : ['failed', 'not run'];
process.exitCode = results.some(({ outcome }) => bad.includes(outcome)) ? 1 : 0;

/** Runs a suite and prints its output once it has ended, so that the outputs of several at a time don't mix. */
async function run({ title, files, needs, env, args = [GLOBAL_SETUP] }: Suite): Promise<Result> {
  const missing = await missingOf(needs);
  if (missing.length > 0) return { title, outcome: 'not run', why: missing.join('; ') };
  const child = spawn(process.execPath, ['--test', `--test-concurrency=${CONCURRENCY}`, ...args, ...files], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const printed: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => printed.push(chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  process.stderr.write(`\n${title}\n`);
  process.stdout.write(Buffer.concat(printed));
  return { title, outcome: code === 0 ? 'passed' : 'failed' };
}

async function missingOf(tools: readonly Tool[]): Promise<string[]> {
  const missing: string[] = [];
  for (const { name, check } of tools) {
    try {
      await check();
    } catch (err) {
      missing.push(`${name} is missing: ${(err as Error).message}`);
    }
  }
  return missing;
}

function answers(command: string, args: readonly string[]): void {
  const { error, status } = spawnSync(command, args, { stdio: 'ignore' });
  if (error !== undefined || status !== 0) throw new Error(`${command} ${args.join(' ')} does not run`);
}
