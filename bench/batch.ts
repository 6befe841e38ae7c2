/**
 * Starts a second of `role-build batch`, as a whole process, checks and look-ups and its own start included, against a tight
 * loop on Temporal's client in a process that has loaded it already. One run pairs both, in turn, on one server without a
 * worker: quote the ratio. `node bench/batch.ts [LINES [PAIRS]]`; run `npm run build` first.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { startStack } from '../dev/stack.ts';
import { startRoleBuild } from '../src/start-role-build.ts';
import type { RoleBuildInput } from '../src/domain/role-build-input.ts';

const LINES = Number(process.argv[2] ?? 1_000);
const PAIRS = Number(process.argv[3] ?? 3);
const CLIENT = fileURLToPath(new URL('../dist/client.js', import.meta.url));

const stack = await startStack({ temporal: { uiPort: false } });
const client = new Client({ connection: await Connection.connect({ address: stack.temporal.address }) });
const folder = mkdtempSync(join(tmpdir(), 'bench-batch-'));
const ratios: number[] = [];
for (let pair = 0; pair < PAIRS; pair += 1) {
  const loop = await startsPerSecondOfLoop(inputs(`loop-${pair}`));
  const batch = await startsPerSecondOfBatch(inputs(`batch-${pair}`), pair);
  ratios.push(batch / loop);
  process.stdout.write(
    `${JSON.stringify({ pair, loop: Math.round(loop), batch: Math.round(batch), ratio: batch / loop })}\n`,
  );
}
process.stdout.write(
  `${JSON.stringify({ lines: LINES, median_ratio: ratios.toSorted((a, b) => a - b)[PAIRS >> 1] })}\n`,
);
rmSync(folder, { recursive: true });
await stack.stop();
process.exit();

function inputs(prefix: string): RoleBuildInput[] {
  return Array.from({ length: LINES }, (_, i) => ({
    build_body: {
      account_id: '123456789012',
      build_type: 'iam_role',
      action: 'create',
      custom_role_name: `${prefix}-${i}`,
      dry_run: false,
    },
    ddb_composite_sort_key: `iam_role#${prefix}-${i}`,
    correlation_id: `${prefix}-${i}`,
    trace_header: 'Root=1-67891233-abcdef012345678912345678',
    url: stack.buildApiUrl,
    encrypted_jwt: 'example-ciphertext-not-a-credential',
  }));
}

async function startsPerSecondOfLoop(all: readonly RoleBuildInput[]): Promise<number> {
  const begun = performance.now();
  for (const input of all) await startRoleBuild(client, input);
  return (all.length * 1_000) / (performance.now() - begun);
}

async function startsPerSecondOfBatch(all: readonly RoleBuildInput[], pair: number): Promise<number> {
  const file = join(folder, `${pair}.ndjson`);
  writeFileSync(file, all.map((input) => `${JSON.stringify(input)}\n`).join(''));
  const args = [CLIENT, 'batch', file, '--report', join(folder, `${pair}.report`)];
  const begun = performance.now();
  // Not in a way that blocks this process, which the DynamoDB is part of.
  await promisify(execFile)(process.execPath, args, { env: { ...process.env, ...stack.settings } });
  return (all.length * 1_000) / (performance.now() - begun);
}
