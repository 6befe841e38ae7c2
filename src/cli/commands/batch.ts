/** Checks every line of a file, then starts the builds that are missing. It is safe to repeat with the same file. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { defined } from '../../domain/defined.ts';
import { INPUT_KEYS, type Fault } from '../../domain/validate-input.ts';
import { quoted } from '../build/next-step.ts';
import type { CommandContext, CommandResult } from '../context.ts';
import { CliError } from '../errors/cli-error.ts';
import type { ExitReason } from '../errors/exit-codes.ts';
import { credentialFile, ENCRYPTED_JWT_VARIABLE, hintOf, type DefaultOptions } from '../input/read-input.ts';
import { whoAmI } from '../input/who.ts';
import { examples, numberLike, seconds, wholeNumber } from '../options.ts';
import { fields } from '../terminal/output.ts';
import { describeFault } from './batch/lines.ts';
import { showProgress } from './batch/progress.ts';
import { readFailedRequests, Report, type FailedRequests } from './batch/report.ts';
import { isRequest, readRequests, type LineDefaults } from './batch/requests.ts';
import { BATCH_FORMATS, openSource, type BatchFormat, type Source } from './batch/source.ts';
import { BatchStarter, type StartingOptions } from './batch/starter.ts';

export function define(command: Command): Command {
  return command
    .description(
      'Checks every line of a file, and then starts a build for each line. The file is NDJSON with an input for `start --input` on ' +
        'each line, or CSV with a header. If a line is not valid, no build is started. After Ctrl-C or a crash, run the same ' +
        'command again: it starts only the builds that are missing. A report says what happened to each line. See docs/batch.md.',
    )
    .argument('<file>', "file with a line for each build ('-' = stdin)")
    .addOption(
      new Option('--format <format>', "format of the file (default: from the file's name; ndjson for stdin)").choices(
        BATCH_FORMATS,
      ),
    )
    .option('--skip-invalid', 'skip lines that are not valid')
    .option('--rate <n>', 'start at most this many builds a second (default: no limit)', above0)
    .option('--max-in-flight <n>', 'wait while this many builds are running (default: no limit)', atLeast1)
    .option('--failed-from <report>', 'run only the lines that failed according to the report of an earlier run')
    .option(
      '--report <file>',
      'write the report, as NDJSON, to this new file or over this earlier report (default: a new name, which is printed)',
    )
    .option('--url <url>', 'URL of the build API, for lines without one')
    .option(
      '--encrypted-jwt-file <file>',
      "file with the caller's encrypted credential ('-' = stdin; default: the line's own, else the variable ENCRYPTED_JWT)",
    )
    .option(
      '--deadline-seconds <n>',
      'for lines without one: give up the build this long after its start (default: never)',
      seconds,
    )
    .option(
      '--poll-interval-seconds <n>',
      'for lines without one: time from the end of one poll to the next (default: 60)',
      seconds,
    )
    .option(
      '--poll-spread-seconds <n>',
      'for lines without one: wait up to this much longer, at random, before the first poll (default: 5)',
      seconds,
    )
    .option('--requested-by <who>', 'for lines without one: who requested the build (default: user@host)')
    .option('--take-over', 'replace records that an execution of Step Functions left IN_PROGRESS')
    .option('--wait', 'follow the builds to their end')
    .addHelpText(
      'after',
      examples(
        'role-build batch roles.csv --url https://builds.example.com --rate 10 --report report.ndjson --wait',
        'role-build batch roles.csv --url https://builds.example.com --failed-from report.ndjson',
      ),
    );
}

const above0 = numberLike(/^(?=.*[1-9])\d{1,9}(\.\d{1,9})?$/, 'a number above 0');

function atLeast1(value: string): number {
  if (wholeNumber(value) === 0) throw new InvalidArgumentError('It must be at least 1.');
  return Number(value);
}

interface BatchOptions extends DefaultOptions, StartingOptions {
  format?: BatchFormat;
  skipInvalid?: boolean;
  failedFrom?: string;
  report?: string;
}

interface Batch {
  source: Source;
  defaults: LineDefaults;
  /** The requests to run again; `undefined` to run all. */
  failed: FailedRequests | undefined;
}

const LINES_SHOWN = 100;
const PLAINLY = 'run the command without --failed-from for those';
/** How many faults the JSON holds at most. */
const FAULTS_KEPT = 1_000;

export async function run(context: CommandContext, options: BatchOptions): CommandResult {
  const [file = ''] = context.args;
  context.ifInterrupted('nothing was started');
  if (file === '-' && options.encryptedJwtFile === '-') {
    throw new CliError('usage', 'stdin can be the batch or the credential, not both');
  }
  const defaults = await defaultsOf(context, options);
  const failed = options.failedFrom === undefined ? undefined : await readFailedRequests(options.failedFrom);
  if (failed?.isCutOff === true) {
    context.output.error(`the last line of ${options.failedFrom} is incomplete, so it may lack requests; ${PLAINLY}`);
  }
  const source = await openSource(file, options.format, context.stdin);
  try {
    const all: Batch = { source, defaults, failed };
    const { total, unmatched } = await check(context, all, options.skipInvalid === true);
    if (context.signal.aborted) {
      context.output.error('interrupted; nothing was started');
      return 'interrupted';
    }
    return await start(context, all, options, total, unmatched);
  } finally {
    source.close();
  }
}

/**
 * @returns the number of lines, also invalid ones, and of failed requests that no line asks for any more
 * @throws CliError `usage` on invalid lines without `--skip-invalid`
 */
async function check(
  { output, signal }: CommandContext,
  { source, defaults, failed }: Batch,
  skipInvalid: boolean,
): Promise<{ total: number; unmatched: number }> {
  const kept: (Fault & { line: number })[] = [];
  const noted = new Set<string>();
  let [total, invalid, matched] = [0, 0, 0];
  for await (const one of readRequests(source, defaults, failed)) {
    if (signal.aborted) return { total, unmatched: 0 };
    total += 1;
    if (isRequest(one)) {
      if (failed?.jobs.has(one.input.correlation_id) === true) matched += 1;
      for (const key of Object.keys(one.input).filter((name) => !INPUT_KEYS.includes(name) && !noted.has(name))) {
        noted.add(key);
        const name = JSON.stringify(key);
        output.note(`role-build: line ${one.line}: the key ${name} is not known; it is passed on unchanged`);
      }
      continue;
    }
    invalid += 1;
    if (invalid <= LINES_SHOWN)
      for (const fault of one.faults) output.error(`line ${one.line}: ${describeFault(fault)}`);
    for (const fault of one.faults) if (kept.length < FAULTS_KEPT) kept.push({ line: one.line, ...fault });
  }
  if (invalid > LINES_SHOWN) output.error(`and ${invalid - LINES_SHOWN} more lines that are not valid`);
  if (total === 0 && failed === undefined) throw new CliError('usage', `${nameOf(source)} has no lines`);
  if (total === 0 && failed !== undefined && failed.jobs.size + failed.lines.size > 0) {
    throw new CliError('usage', `none of the requests that failed is in ${nameOf(source)}, so nothing was started`, {
      hint: 'the file of that report, under the same name: the name is part of each correlation_id that is made up',
    });
  }
  const unmatched = (failed?.jobs.size ?? 0) - matched;
  if (unmatched > 0) {
    output.error(
      `${unmatched} requests that failed are not in ${nameOf(source)}: their lines have changed; ${PLAINLY}`,
    );
  }
  if (invalid === 0 || skipInvalid) return { total, unmatched };
  throw new CliError(
    'usage',
    `${invalid} of ${total} lines ${invalid === 1 ? 'is' : 'are'} not valid, so nothing was started; --skip-invalid leaves them out`,
    { fields: { faults: kept, invalid, lines: total }, ...hintOf(kept) },
  );
}

async function start(
  context: CommandContext,
  all: Batch,
  options: BatchOptions,
  total: number,
  unmatched: number,
): CommandResult {
  const { output } = context;
  const { source, defaults, failed } = all;
  const services = await context.services();
  await source.mustBeUnchanged();
  const report = new Report(options.report, [source.identity, failed?.identity], output.error);
  output.note(`report: ${report.path}`);
  context.endsByItself();

  const progress = showProgress(output.canvas, total, () => ({
    done: report.lines,
    started: starter.started,
    inFlight: starter.inFlight,
    failed: report.failed,
  }));
  const starter = new BatchStarter(services, report, options, progress.update);
  let failure: CliError | undefined;
  try {
    await starter.run(readRequests(source, defaults, failed), failed);
  } catch (err) {
    if (!(err instanceof CliError)) throw err;
    failure = err;
  } finally {
    report.close();
    progress.stop();
  }
  const { lines, counts: statuses, path } = report;
  const { started, startedBefore: started_before, onTheirWay: on_their_way } = starter;
  const totals = { lines, started, started_before, on_their_way };
  const summary = { ...totals, statuses, report: path };
  if (!context.json) output.line(fields({ ...totals, ...statuses, report: path }));
  if (failure !== undefined) {
    const hint = failure.reason === 'unreachable' ? 'run the same command again' : failure.details.hint;
    const told = { ...failure.details.fields, ...summary };
    throw new CliError(failure.reason, failure.message, { ...failure.details, cause: failure, hint, fields: told });
  }
  if (context.json) output.json(summary);
  const outcome = outcomeOf(context, report, starter);
  return outcome === 'done' && unmatched > 0 ? 'endedOtherwise' : outcome;
}

function outcomeOf(
  { output, args, signal }: CommandContext,
  { counts, path, isWhole, failed, firstFailures }: Report,
  { onTheirWay }: BatchStarter,
): ExitReason {
  const { IN_PROGRESS: running = 0, NOT_STARTED: left = 0 } = counts;
  if (signal.aborted) {
    const rest = left === 0 ? '' : `${left} not reached or not started, run the same command again; `;
    output.error(`interrupted: ${rest}${running} builds go on`);
    return 'interrupted';
  }
  if (onTheirWay > 0) output.note(`${onTheirWay} had already started`);
  if (failed === 0) return isWhole ? 'done' : 'unreachable';
  for (const { line, status, error } of firstFailures) {
    output.error(`line ${line}: ${status}${error === undefined ? '' : `: ${error}`}`);
  }
  const more = failed - firstFailures.length;
  if (more > 0) output.error(`and ${more} more, in the report`);
  output.note(`run again what failed: role-build batch ${args.map(quoted).join(' ')} … --failed-from ${quoted(path)}`);
  return isWhole ? 'endedOtherwise' : 'unreachable';
}

function nameOf({ name }: Source): string {
  return name === '-' ? 'stdin' : name;
}

async function defaultsOf({ env, stdin, output }: CommandContext, options: BatchOptions): Promise<LineDefaults> {
  return defined({
    url: options.url,
    deadline_seconds: options.deadlineSeconds,
    poll_interval_seconds: options.pollIntervalSeconds,
    poll_spread_seconds: options.pollSpreadSeconds,
    requested_by: options.requestedBy ?? whoAmI(),
    take_over: options.takeOver,
    credential: await credentialFile(options, stdin, output),
    fallbackCredential: env[ENCRYPTED_JWT_VARIABLE] || undefined,
  });
}
