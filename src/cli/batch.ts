import type { Fault } from '../domain/validate-input.ts';
import { BuildFollower } from './batch/follow-many.ts';
import { showProgress } from './batch/progress.ts';
import { FailedRequests } from './batch/failed-requests.ts';
import { describeFaults } from './batch/lines.ts';
import { isFailed, Report, type ReportStatus } from './batch/report.ts';
import { isRequest, readRequests, unknownKeys, type LineDefaults } from './batch/requests.ts';
import type { BatchFormat } from './batch/formats.ts';
import { openSource, type Source } from './batch/source.ts';
import { BatchStarter } from './batch/start-many.ts';
import type { CommandContext, CommandResult } from './commands.ts';
import { CliError } from './errors.ts';
import type { ExitReason } from './exit-codes.ts';
import { quoted } from './next-move.ts';
import { fields } from './output.ts';
import { credentialFile, ENCRYPTED_JWT_VARIABLE, hintOf, type DefaultOptions } from './read-input.ts';
import { whoAmI } from './who.ts';

export interface BatchOptions extends DefaultOptions {
  format?: BatchFormat;
  skipInvalid?: boolean;
  rate?: number;
  maxInFlight?: number;
  failedFrom?: string;
  report?: string;
  wait?: boolean;
}

/** Of very many lines with faults, so many are shown. */
const LINES_SHOWN = 100;
/** Of very many faults, so many go into the JSON. */
const FAULTS_KEPT = 1_000;

/** Checks every line, and then starts what was not started yet; the same file may be given again and again. */
export async function batch(context: CommandContext, file: string, options: BatchOptions): CommandResult {
  if (file === '-' && options.encryptedJwtFile === '-') {
    throw new CliError('usage', 'stdin can be the batch or the credential, not both');
  }
  const defaults = await defaultsOf(context, options);
  const failed = options.failedFrom === undefined ? undefined : await FailedRequests.read(options.failedFrom);
  const source = await openSource(file, options.format, context.stdin);
  try {
    const total = await check(context, source, defaults, options, failed);
    if (context.signal.aborted) {
      context.output.error('interrupted; nothing was started');
      return 'interrupted';
    }
    return await run(context, file, source, defaults, options, { total, failed });
  } finally {
    source.close();
  }
}

/** @returns how many requests there are to see to @throws CliError `usage` where a line is not valid */
async function check(
  { output, signal }: CommandContext,
  source: Source,
  defaults: LineDefaults,
  { skipInvalid }: BatchOptions,
  failed: FailedRequests | undefined,
): Promise<number> {
  const kept: (Fault & { line: number })[] = [];
  const noted = new Set<string>();
  let [total, invalid] = [0, 0];
  for await (const one of readRequests(source, defaults)) {
    if (signal.aborted) return 0;
    if (failed?.has(one.line, isRequest(one) ? one.input.correlation_id : undefined) === false) continue;
    total += 1;
    if (!isRequest(one)) {
      invalid += 1;
      if (invalid <= LINES_SHOWN) output.error(describeFaults(one.line, one.faults));
      for (const fault of one.faults) if (kept.length < FAULTS_KEPT) kept.push({ line: one.line, ...fault });
      continue;
    }
    for (const key of unknownKeys(one.input)) {
      if (noted.has(key)) continue;
      noted.add(key);
      output.note(`role-build: line ${one.line}: the key ${JSON.stringify(key)} means nothing and is passed on unread`);
    }
  }
  if (invalid > LINES_SHOWN) output.error(`and ${invalid - LINES_SHOWN} more lines that are not valid`);
  if (total === 0 && failed === undefined) throw new CliError('usage', `${source.name} has no lines`);
  if (total === 0 && failed?.isEmpty === false) {
    throw new CliError('usage', `none of the requests that failed is in ${source.name}, so nothing was started`, {
      hint: 'the file of that report, under the same name: the name is part of each correlation_id that is made up',
    });
  }
  if (invalid === 0 || skipInvalid === true) return total;
  throw new CliError(
    'usage',
    `${invalid} of ${total} lines ${invalid === 1 ? 'is' : 'are'} not valid, so nothing was started; --skip-invalid leaves them out`,
    { fields: { faults: kept, invalid, lines: total }, ...hintOf(kept) },
  );
}

async function run(
  context: CommandContext,
  file: string,
  source: Source,
  defaults: LineDefaults,
  options: BatchOptions,
  { total, failed }: { total: number; failed: FailedRequests | undefined },
): CommandResult {
  const { output, signal } = context;
  const services = await context.services();
  await source.mustBeUnchanged();
  const report = Report.create(options.report, [source.identity, failed?.identity], output.error);
  output.note(`report: ${report.path}`);
  context.endsByItself();

  const progress = showProgress(output.canvas, total);
  const follows = options.wait === true || options.maxInFlight !== undefined;
  const onProgress = () =>
    progress.update(report.lines, {
      started: starter.started,
      inFlight: follower?.size,
      failed: failedIn(report.counts),
    });
  const follower: BuildFollower | undefined = follows
    ? new BuildFollower(services, (line) => {
        report.add(line);
        starter.ended();
        onProgress();
      })
    : undefined;
  const starter = new BatchStarter(services, report, follower, {
    signal,
    onProgress,
    ...(options.rate === undefined ? {} : { rate: options.rate }),
    ...(options.maxInFlight === undefined ? {} : { maxInFlight: options.maxInFlight }),
    ...(failed === undefined ? {} : { failed }),
  });
  try {
    // A batch that can't see its builds end must not start more of them.
    follower?.run().catch((err: unknown) => starter.halt(err));
    await starter.run(readRequests(source, defaults));
    if (options.wait === true) await follower?.untilAllEnded(signal);
  } finally {
    for (const build of (await follower?.stop()) ?? []) report.add({ ...build, status: 'IN_PROGRESS' });
    report.close();
    progress.stop();
  }
  return summarize(context, file, report, starter);
}

function summarize(
  { output, json, signal }: CommandContext,
  file: string,
  report: Report,
  starter: BatchStarter,
): ExitReason {
  const { counts, path, lines } = report;
  const { started, startedBefore: started_before, onTheirWay: on_their_way } = starter;
  const summary = { lines, started, started_before, on_their_way };
  if (json) output.json({ ...summary, statuses: counts, report: path });
  else output.line(fields({ ...summary, ...counts, report: path }));
  const { IN_PROGRESS: running = 0, NOT_STARTED: left = 0 } = counts;
  if (signal.aborted) {
    output.error(`interrupted: ${left} not started, which the same command does; ${running} builds go on`);
    return 'interrupted';
  }
  if (on_their_way > 0) output.note(`${on_their_way} were on their way already`);
  const failures = failedIn(counts);
  if (failures === 0) return report.isWhole ? 'done' : 'unreachable';
  for (const { line, status, error } of report.firstFailures) {
    output.error(`line ${line}: ${status}${error === undefined ? '' : `: ${error}`}`);
  }
  const more = failures - report.firstFailures.length;
  if (more > 0) output.error(`and ${more} more, in the report`);
  output.note(`run again what failed: role-build batch ${quoted(file)} … --failed-from ${quoted(path)}`);
  return 'endedOtherwise';
}

function failedIn(counts: Report['counts']): number {
  const entries = Object.entries(counts) as [ReportStatus, number][];
  return entries.reduce((sum, [status, count]) => (isFailed(status) ? sum + count : sum), 0);
}

async function defaultsOf({ env, stdin, output }: CommandContext, options: BatchOptions): Promise<LineDefaults> {
  const credential = await credentialFile(options, stdin, output);
  const given = {
    url: options.url,
    deadline_seconds: options.deadlineSeconds,
    poll_interval_seconds: options.pollIntervalSeconds,
    poll_spread_seconds: options.pollSpreadSeconds,
    requested_by: options.requestedBy ?? whoAmI(),
    take_over: options.takeOver,
    credential,
    fallbackCredential: env[ENCRYPTED_JWT_VARIABLE],
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
