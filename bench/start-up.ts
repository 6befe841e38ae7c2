/**
 * How long the command line takes to start, as whole processes: `--help` against `node -e 0`, and `start` against
 * `temporal workflow start`. Everything in turn, on one server without a worker, so that what the machine does meanwhile hits all
 * alike: quote the ratios. `node bench/start-up.ts [ROUNDS]`; run `npm run build` first.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startStack } from '../dev/stack.ts';
import { findTemporalCli } from '../dev/servers/temporal-binaries.ts';

const ROUNDS = Number(process.argv[2] ?? 20);
/** Fill the caches: the compile cache, and the file system's. */
const WARM_UP = 2;
const CLIENT = fileURLToPath(new URL('../dist/client.js', import.meta.url));

const stack = await startStack({ temporal: { uiPort: false } });
const temporal = await findTemporalCli();
let count = 0;

const COMMANDS: Record<string, () => [string, ...string[]]> = {
  'node -e 0': () => [process.execPath, '-e', '0'],
  'role-build --help': () => [process.execPath, CLIENT, '--help'],
  'temporal workflow start': () => {
    const role = `t-${(count += 1)}`;
    const input = JSON.stringify({ build_body: { account_id: '123456789012', custom_role_name: role } });
    return [temporal, 'workflow', 'start', '--type', 'other', '--task-queue', 'none', '-w', role, '--input', input];
  },
  'role-build start': () => {
    const role = `r-${(count += 1)}`;
    return [process.execPath, CLIENT, 'start', '--account', '123456789012', '--role', role, '--url', stack.buildApiUrl];
  },
};

const times: Record<string, number[]> = {};
for (let round = 0; round < ROUNDS + WARM_UP; round += 1) {
  for (const [name, make] of Object.entries(COMMANDS)) {
    const [command, ...args] = make();
    const begun = performance.now();
    // Not in a way that blocks this process, which the DynamoDB is part of.
    await promisify(execFile)(command, args, {
      env: { ...process.env, ...stack.settings, ENCRYPTED_JWT: 'example-ciphertext-not-a-credential' },
    });
    const took = performance.now() - begun;
    if (round >= WARM_UP) (times[name] ??= []).push(took);
  }
}
await stack.stop();

for (const [name, all] of Object.entries(times)) {
  process.stdout.write(
    `${name.padEnd(24)} median ${median(all).toFixed(0)} ms, least ${Math.min(...all).toFixed(0)} ms\n`,
  );
}
const help = pairs('role-build --help', 'node -e 0').map(([ours, node]) => ours - 1.5 * node);
const start = pairs('role-build start', 'temporal workflow start').map(([ours, theirs]) => ours / theirs);
process.stdout.write(`--help: ${median(help).toFixed(0)} ms above 1.5 times node -e 0; at most 100 is wanted\n`);
process.stdout.write(`start: ${median(start).toFixed(2)} times temporal workflow start; at most 3 is wanted\n`);
process.exit();

function pairs(one: string, other: string): [number, number][] {
  return (times[one] ?? []).map((time, i) => [time, times[other]?.[i] ?? NaN]);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}
