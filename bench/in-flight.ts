/**
 * How many builds one machine holds while every poll stays on time: `roleBuild`, whose poll is a local activity, against
 * the same build written plainly. One run measures both, one after the other, each on servers of its own: quote the ratio.
 *
 * `node bench/in-flight.ts`; builds poll every 2 s, so that N builds here make as many polls a second as 30 N
 * that poll every 60 s. What more builds cost in memory is not measured here.
 */
import { Client, Connection } from '@temporalio/client';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startStack, type Stack } from '../dev/stack.ts';

const POLL_INTERVAL_SECONDS = 2;
/** Builds in flight; a step is 10 polls a second. */
const LEVELS = Array.from({ length: 20 }, (_, i) => 20 * (i + 6));
const LATENESS_LIMIT_MS = 2_000;
const SETTLE_MS = 5_000;
const WINDOW_MS = 10_000;
const STARTS_PER_SECOND = 10;

const VARIANTS = {
  plain: { workflowType: 'plainRoleBuild', worker: fileURLToPath(new URL('./plain-worker.ts', import.meta.url)) },
  roleBuild: { workflowType: 'roleBuild', worker: undefined },
} as const;

const held: Record<string, number> = {};
for (const variant of ['plain', 'roleBuild'] as const) held[variant] = await measure(variant);
const ratio = (held['roleBuild'] ?? 0) / (held['plain'] ?? Infinity);
process.stdout.write(
  `${JSON.stringify({ held, ratio, polls_per_second: { plain: (held['plain'] ?? 0) / POLL_INTERVAL_SECONDS, roleBuild: (held['roleBuild'] ?? 0) / POLL_INTERVAL_SECONDS } })}\n`,
);
process.exit();

async function measure(variant: keyof typeof VARIANTS): Promise<number> {
  const { workflowType, worker } = VARIANTS[variant];
  const stack = await startStack();
  await stack.startWorker(worker === undefined ? {} : { program: worker });
  const connection = await Connection.connect({ address: stack.temporal.address });
  const client = new Client({ connection });
  let started = 0;
  let most = 0;
  for (const level of LEVELS) {
    for (; started < level; started += 1) {
      void start(client, stack, workflowType, `${variant}-${started}`);
      await delay(1000 / STARTS_PER_SECOND);
    }
    await delay(SETTLE_MS);
    stack.buildApi.clearRequests();
    await delay(WINDOW_MS);
    const lateness = latenesses(stack);
    const expected = (level * WINDOW_MS) / 1000 / POLL_INTERVAL_SECONDS;
    const polls = stack.buildApi.requests().filter(({ method }) => method === 'GET').length;
    const p99 = lateness[Math.floor(lateness.length * 0.99)] ?? Infinity;
    const onTime = p99 <= LATENESS_LIMIT_MS && polls >= expected * 0.8;
    process.stdout.write(
      `${JSON.stringify({ variant, level, polls, expected, p50_ms: lateness[Math.floor(lateness.length / 2)], p99_ms: p99, onTime })}\n`,
    );
    if (!onTime) break;
    most = level;
  }
  await connection.close();
  await stack.temporal.kill();
  await stack.stop();
  return most;
}

/** Of each poll after a build's first in the window: how much later than its interval after the one before, sorted. */
function latenesses(stack: Stack): number[] {
  const lastAnsweredAt = new Map<string, number>();
  const found: number[] = [];
  for (const { method, path, at, answered_at: answeredAt } of stack.buildApi.requests()) {
    if (method !== 'GET') continue;
    const last = lastAnsweredAt.get(path);
    if (last !== undefined) found.push(at - last - POLL_INTERVAL_SECONDS * 1000);
    if (answeredAt !== null) lastAnsweredAt.set(path, answeredAt);
  }
  return found.toSorted((a, b) => a - b);
}

async function start(client: Client, stack: Stack, workflowType: string, name: string): Promise<void> {
  await client.workflow.start(workflowType, {
    workflowId: `role-build:123456789012:iam_role#${name}`,
    taskQueue: 'role-builds',
    args: [
      {
        build_body: {
          account_id: '123456789012',
          build_type: 'iam_role',
          action: 'create',
          custom_role_name: name,
          dry_run: false,
          simulate: { outcome: 'NEVER' },
        },
        ddb_composite_sort_key: `iam_role#${name}`,
        correlation_id: name,
        trace_header: 'Root=1-67891233-abcdef012345678912345678',
        url: stack.buildApiUrl,
        encrypted_jwt: 'example-ciphertext-not-a-credential',
        poll_interval_seconds: POLL_INTERVAL_SECONDS,
      },
    ],
  });
}
