/**
 * Runs the command line in this process, which takes a tenth of the CPU time of a separate one. Commands that depend on
 * signals, on a terminal or on variables that Node.js reads at its start need a process.
 */
import { Readable, Writable } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import { environmentOf, startCli, type CliOptions, type CliResult } from '../../dev/stack.ts';
import { runCli } from '../../src/cli/main.ts';
import { PROGRAMS } from './programs.ts';

/** Variables that Node.js reads only once, at its start. */
const READ_ONCE = /^(NODE_|SSL_)/;
/** Variables that the tests themselves read while a command runs. */
const OURS = /^(NODE_|PATH$|DYNAMODB$|TEMPORAL_CLI$|TEMPORAL_TEST_SERVER$|ROLE_BUILD_(CACHE_DIR|TEST_))/;

let before: NodeJS.ProcessEnv = {};
let inForce: Record<string, string> = {};
let running = 0;
let stopping = new AbortController();

/** Interrupts commands that still run, for example if a test failed while its command followed a build. */
export function interruptCommands(): void {
  stopping.abort();
  stopping = new AbortController();
}

/**
 * @param env the whole environment of the command
 * @returns `undefined` if the command needs a process
 */
export function runCliHere(
  args: readonly string[],
  env: Record<string, string>,
  options: CliOptions,
): Promise<CliResult> | undefined {
  const isOfStart = Object.keys(env).some((name) => READ_ONCE.test(name) && env[name] !== process.env[name]);
  const needsProcess = options.terminal !== undefined || isOfStart;
  // Temporal's and the AWS SDK's settings are read from `process.env`, which all commands in this process share.
  const isTaken = running > 0 && !isDeepStrictEqual(env, inForce);
  return needsProcess || isTaken ? undefined : run(args, env, options);
}

/** Does as {@link runCliHere} if possible, else starts a process. */
export function runCommand(
  args: readonly string[],
  settings: Record<string, string>,
  options: CliOptions = {},
): Promise<CliResult> {
  const here = runCliHere(args, environmentOf(settings), options);
  return here ?? startCli(args, settings, { program: PROGRAMS.client, ...options }).result;
}

async function run(args: readonly string[], env: Record<string, string>, options: CliOptions): Promise<CliResult> {
  const { stdin = '', onStdout, onStderr } = options;
  const stdout = sink(onStdout);
  const stderr = sink(onStderr);
  enter(env);
  try {
    const code = await runCli(
      args,
      process.env,
      {
        stdin: stdin instanceof Readable ? stdin : Readable.from(stdin === '' ? [] : [Buffer.from(stdin)]),
        stdout: stdout.stream,
        stderr: stderr.stream,
      },
      { signal: stopping.signal, crashed: new Promise(() => {}), endsByItself: () => {} },
    );
    return { code, stdout: stdout.text(), stderr: stderr.text() };
  } finally {
    leave();
  }
}

function enter(env: Record<string, string>): void {
  running += 1;
  if (running > 1) return;
  inForce = env;
  before = { ...process.env };
  for (const name of Object.keys(before)) if (!OURS.test(name)) delete process.env[name];
  Object.assign(process.env, env);
}

function leave(): void {
  running -= 1;
  if (running > 0) return;
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
  Object.assign(process.env, before);
}

function sink(onText: (text: string) => void = () => {}): { stream: Writable; text(): string } {
  let kept = '';
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      kept += chunk.toString();
      onText(chunk.toString());
      done();
    },
  });
  return { stream, text: () => kept };
}
