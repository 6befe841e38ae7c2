/** `npm run recording`: plays a session of the real program in a pseudo-terminal and draws it as docs/images/session.svg. */
import { mkdir, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Screen } from '../dev/screen.ts';
import type { Simulate } from '../dev/simulated-build-api/server.ts';
import { startStack } from '../dev/stack.ts';
import { drawSvg, type Frame } from './session-svg.ts';

const FILE = fileURLToPath(new URL('../docs/images/session.svg', import.meta.url));
const TERMINAL = { columns: 108, rows: 34 };
const ACCOUNT = '123456789012';
/** The longest pause shown: viewers should not wait for polls. `READ_MS` gives them time to read. */
const MAX_PAUSE_MS = 700;
const READ_MS = 3_500;

const stack = await startStack();
await stack.startWorker();
// The session starts with one build that ended because the API was unavailable, and one that the API failed.
const unavailable = { status: 503 };
await build('auditor', { polls: 0, status: [unavailable, unavailable, unavailable] });
await build('data-writer', { polls: 0, outcome: 'FAILED', message: 'the policy data-writer does not exist' });

const screen = new Screen(TERMINAL.columns, TERMINAL.rows);
const frames: Frame[] = [];
let atMs = 0;
const start = ['start', '--account', ACCOUNT, '--role', 'data-reader', '--url', stack.buildApiUrl];
await play([...start, '--poll-interval-seconds', '2']);
await play(['watch', ACCOUNT, 'iam_role#data-reader']);
await play(['list']);
await play(['status', ACCOUNT, 'iam_role#auditor']);
await play(['resume', ACCOUNT, 'iam_role#auditor', '--wait', '--quiet']);
await play(['history', ACCOUNT, 'iam_role#auditor']);
await stack.stop();

await mkdir(fileURLToPath(new URL('../docs/images/', import.meta.url)), { recursive: true });
const title = 'role-build: a build is started and watched, one that failed is looked at and resumed';
await writeFile(FILE, drawSvg(frames, TERMINAL, atMs, title));
process.stdout.write(`${FILE}: ${frames.length} frames, ${Math.round(atMs / 1000)} s\n`);
process.exit();

async function build(role: string, simulate: Simulate): Promise<void> {
  const input = {
    build_body: {
      account_id: ACCOUNT,
      build_type: 'iam_role',
      action: 'create',
      custom_role_name: role,
      dry_run: false,
      simulate,
    },
    ddb_composite_sort_key: `iam_role#${role}`,
    url: stack.buildApiUrl,
    encrypted_jwt: 'example-ciphertext-not-a-credential',
    poll_interval_seconds: 1,
    requested_by: 'someone@example.com',
  };
  await stack.cli(['start', '--input', '-', '--wait'], { stdin: JSON.stringify(input) });
}

async function play(args: readonly string[]): Promise<void> {
  const typed = ['role-build', ...args].map((word) => (/[#\s]/.test(word) ? `'${word}'` : word)).join(' ');
  show('\u001b[1;32m$\u001b[0m ', 300);
  for (const word of typed.split(/(?<= )/)) show(word, 90);
  show('\r\n', 400);
  let last = performance.now();
  await stack.startCli(args, {
    terminal: TERMINAL,
    settings: { ENCRYPTED_JWT: 'example-ciphertext-not-a-credential', TEMPORAL_UI_URL: 'http://localhost:8233' },
    onStdout: (chunk) => {
      const now = performance.now();
      show(chunk, Math.min(MAX_PAUSE_MS, now - last));
      last = now;
    },
  }).result;
  await delay(50);
  show('\r\n', 100);
  atMs += READ_MS;
}

/** Writes to the screen `afterMs` after the previous write. */
function show(output: string, afterMs: number): void {
  atMs += Math.max(1, Math.round(afterMs));
  screen.write(output);
  const lines = screen.visible().map((line) => line.map((cell) => ({ ...cell })));
  const last = frames.at(-1);
  if (last !== undefined && atMs - last.atMs < 30) frames[frames.length - 1] = { atMs: last.atMs, lines };
  else frames.push({ atMs, lines });
}
