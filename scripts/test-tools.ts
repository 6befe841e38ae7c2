/**
 * `npm run test:tools [-- --allow-missing]`: the tests that need more than `npm test` does: a package registry, Chromium,
 * Go and Python (the schemas of Kubernetes' objects, encrypted payloads; kubectl where there is one), Prometheus, or AWS's own DynamoDB Local (Java,
 * and Maven to get it). Says what could not be run for want of a tool, and fails then, unless
 * `--allow-missing` is given.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
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
const prometheus: Tool = {
  name: 'Prometheus',
  async check() {
    answers(await findPrometheus(), ['--version']);
    answers(await findPromtool(), ['--version']);
  },
};

/** Files at a time: they mostly wait. */
const CONCURRENCY = 4;

const SUITES: readonly { title: string; files: string[]; needs: Tool[]; env?: Record<string, string> }[] = [
  { title: 'the package and the images', files: ['test/tools/*.test.ts'], needs: [npm] },
  { title: 'the Kubernetes manifests', files: ['test/tools/kubernetes/*.test.ts'], needs: [go, python, prometheus] },
  { title: 'encrypted payloads, read by Python', files: ['test/tools/encryption/*.test.ts'], needs: [python] },
  { title: 'the Web UI', files: ['test/tools/web-ui/*.test.ts'], needs: [chromium] },
  { title: 'metrics, dashboard and alerts', files: ['test/tools/observability/*.test.ts'], needs: [prometheus] },
  {
    title: 'what depends on DynamoDB, on DynamoDB Local',
    files: [
      'test/records/**/*.test.ts',
      'test/end-to-end/{success,dynamodb-faults,resume,take-over,doctor*,least-privilege}.test.ts',
    ],
    needs: [dynamoDbLocal],
    env: { DYNAMODB: 'dynamodb-local' },
  },
];

const { values: options } = parseArgs({ options: { 'allow-missing': { type: 'boolean', default: false } } });

const results: { title: string; outcome: 'passed' | 'failed' | 'not run'; why?: string }[] = [];
for (const { title, files, needs, env } of SUITES) {
  const missing = await missingOf(needs);
  if (missing.length > 0) {
    results.push({ title, outcome: 'not run', why: missing.join('; ') });
    continue;
  }
  process.stderr.write(`\n${title}\n`);
  const { status } = spawnSync(process.execPath, ['--test', `--test-concurrency=${CONCURRENCY}`, ...files], {
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  results.push({ title, outcome: status === 0 ? 'passed' : 'failed' });
}

process.stderr.write('\n');
for (const { title, outcome, why } of results) {
  process.stderr.write(`${outcome.padEnd(8)}${title}${why === undefined ? '' : `: ${why}`}\n`);
}
const bad = options['allow-missing'] ? ['failed'] : ['failed', 'not run'];
process.exitCode = results.some(({ outcome }) => bad.includes(outcome)) ? 1 : 0;

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
