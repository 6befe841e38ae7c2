/**
 * Measures what waiting builds cost their worker (memory, CPU, lateness of polls) and what a poll adds to a history.
 * Builds poll every 60 s on one worker with one CPU, with the settings of deploy/kubernetes and encryption.
 *
 * `npm run build && node bench/parked.ts [LEVEL…]`, on Linux only. Temporal and the rest of the stack run on the same
 * machine: memory and CPU time are the worker's own, but lateness is only meaningful on a quiet machine.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { startStack, type Stack } from '../dev/stack.ts';
import { createDataConverter } from '../src/encryption/data-converter.ts';
import { parseLocalKeys } from '../src/config/encryption.ts';
import { startRoleBuild } from '../src/index.ts';
import { readMetrics } from '../test/support/metrics-page.ts';
import { IMAGE_ENVIRONMENT } from './measure/contenders.ts';

const LEVELS = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [250, 500, 1_000, 1_200];
const POLL_INTERVAL_SECONDS = 60;
const STARTS_AT_A_TIME = 25;
const HEAP_MIB = 640;
const MAX_CACHED_BUILDS = 1_000;
const KEY = `bench:${randomBytes(32).toString('base64')}`;
/** The unit of times in `/proc/PID/stat`: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
const CLOCK_TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** The built worker, as in the image: from the sources, the bundler's memory would count too. */
const WORKER = fileURLToPath(new URL('../dist/worker.js', import.meta.url));

const stack = await startStack({ temporal: { uiPort: false } });
const worker = await stack.startWorker({
  program: WORKER,
  settings: {
    ...IMAGE_ENVIRONMENT,
    NODE_OPTIONS: `${IMAGE_ENVIRONMENT.NODE_OPTIONS} --max-old-space-size=${HEAP_MIB}`,
    WORKER_MAX_CACHED_BUILDS: String(MAX_CACHED_BUILDS),
    ENCRYPTION_KEYS: KEY,
    ENCRYPTION_REQUIRED: 'true',
  },
});
execFileSync('taskset', ['-a', '-c', '-p', '0', String(worker.pid)], { stdio: 'ignore' });
const connection = await Connection.connect({ address: stack.temporal.address });
const dataConverter = createDataConverter({ localKeys: parseLocalKeys(KEY) }, 'default');
const client = new Client({ connection, dataConverter });

let started = 0;
say({ builds: 0, ...use(worker.pid) });
for (const level of LEVELS) {
  while (started < level) {
    const batch = Array.from({ length: Math.min(STARTS_AT_A_TIME, level - started) }, (_, i) => start(started + i));
    await Promise.all(batch);
    started += batch.length;
    await until(() => stack.buildApi.builds().length >= started);
  }
  // After this, each build has polled at least once.
  await delay(POLL_INTERVAL_SECONDS * 1000);
  const before = use(worker.pid);
  const since = Date.now();
  await delay(POLL_INTERVAL_SECONDS * 1000);
  const after = use(worker.pid);
  const polls = stack.buildApi.requests().filter(({ method, at }) => method === 'GET' && at >= since);
  const { sum } = await readMetrics(worker.metricsUrl);
  const cpuSeconds = after.cpu_seconds - before.cpu_seconds;
  say({
    builds: level,
    rss_mib: after.rss_mib,
    cached: sum('temporal_sticky_cache_size'),
    polls: polls.length,
    polls_due: level,
    cpu_seconds_per_minute: round(cpuSeconds),
    cpu_ms_per_poll: round((cpuSeconds * 1000) / polls.length),
    ...lateness(stack, since),
  });
}
const { raw } = await client.workflow.getHandle('role-build:123456789012:iam_role#parked-0').describe();
const { historyLength, historySizeBytes } = raw.workflowExecutionInfo ?? {};
const polled = stack.buildApi.builds()[0]?.polls;
say({ history_of_the_first: { polls: polled, events: Number(historyLength), bytes: Number(historySizeBytes) } });
await connection.close();
await stack.temporal.kill();
await stack.stop();
process.exit();

function start(n: number): Promise<unknown> {
  return startRoleBuild(client, {
    build_body: {
      account_id: '123456789012',
      build_type: 'iam_role',
      action: 'create',
      custom_role_name: `parked-${n}`,
      dry_run: false,
      simulate: { outcome: 'NEVER' },
    },
    ddb_composite_sort_key: `iam_role#parked-${n}`,
    correlation_id: `parked-${n}`,
    trace_header: 'Root=1-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad;Sampled=1',
    url: stack.buildApiUrl,
    // As long as a token encrypted with RSA.
    encrypted_jwt: 'x'.repeat(1_500),
    poll_interval_seconds: POLL_INTERVAL_SECONDS,
  });
}

function use(pid: number): { rss_mib: number; cpu_seconds: number } {
  const kib = Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  const cpu_seconds = (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
  return { rss_mib: Math.round(kib / 1024), cpu_seconds };
}

/** Measures for each poll since a time how much later it came than its interval after the previous one. */
function lateness({ buildApi }: Stack, since: number): { late_p50_ms?: number; late_p99_ms?: number } {
  const last = new Map<string, number>();
  const late: number[] = [];
  for (const { method, path, at, answered_at: answeredAt } of buildApi.requests()) {
    if (method !== 'GET') continue;
    const previous = last.get(path);
    if (previous !== undefined && at >= since) late.push(at - previous - POLL_INTERVAL_SECONDS * 1000);
    if (answeredAt !== null) last.set(path, answeredAt);
  }
  late.sort((a, b) => a - b);
  const quantile = (q: number) => Math.round(late[Math.floor(late.length * q)] ?? NaN);
  return { late_p50_ms: quantile(0.5), late_p99_ms: quantile(0.99) };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(50);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
