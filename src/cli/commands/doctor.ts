/** Compares both tables with Temporal, lists what is wrong, and repairs what is safe to repair. */
import type { Command } from 'commander';
import type { CommandContext, CommandResult } from '../context.ts';
import { CliError } from '../errors/cli-error.ts';
import type { ExitReason } from '../errors/exit-codes.ts';
import { inParallel } from '../in-parallel.ts';
import { examples } from '../options.ts';
import type { Output } from '../terminal/output.ts';
import { readAskApi, type AskApiOptions } from './doctor/ask-api.ts';
import { clockFindings, readClock } from './doctor/clock.ts';
import { directoryFindings } from './doctor/directory.ts';
import { examinerOf } from './doctor/examine.ts';
import { deniedFinding, isDenied, type Finding } from './doctor/findings.ts';
import { PASSES, type Counts } from './doctor/passes.ts';
import { prerequisites, readinessOf, whyNoHistory } from './doctor/prerequisites.ts';
import { Reporter } from './doctor/reporter.ts';

export function define(command: Command): Command {
  return command
    .description(
      'Compares both tables with Temporal and lists each difference with its reason and its fix. With --fix it repairs what is safe ' +
        'to repair, with conditional writes, and asks before each repair. Exit code 1 if findings are left.',
    )
    .option('--fix', 'repair what is safe to repair; asks before each repair')
    .option('--yes', 'with --fix: repair without asking; findings in doubt are left alone')
    .option('--ask-api', 'ask the build API how builds ended that Temporal lost')
    .option('--directory', 'check the directory and the recorded groups too, by the DIRECTORY_ variables')
    .option('--url <url>', 'with --ask-api: URL of the build API')
    .option(
      '--encrypted-jwt-file <file>',
      "with --ask-api: file with your encrypted credential ('-' = stdin; default: the variable ENCRYPTED_JWT)",
    )
    .addHelpText('after', examples('role-build doctor', 'role-build doctor --fix'));
}

interface DoctorOptions extends AskApiOptions {
  fix?: boolean;
  directory?: boolean;
  yes?: boolean;
}

const PROGRESS_EVERY = 10_000;

export async function run(context: CommandContext, options: DoctorOptions): CommandResult {
  const { output, signal } = context;
  const { fix = false, yes = false } = options;
  if (yes && !fix) throw new CliError('usage', '--yes goes with --fix');
  if (fix && !yes && options.encryptedJwtFile === '-') {
    throw new CliError('usage', 'stdin can be the credential or the answers, not both: give --yes, or a file');
  }
  const askApi = await readAskApi(options, context);
  const services = await context.services();
  const report = new Reporter(context, { fix, yes });
  const clock = await readClock(services);

  let failure: unknown;
  for (const { look, undone } of prerequisites(services)) {
    // A fault of one service must not hide the faults of the others.
    await takeAll(report, undone, look).catch((err: unknown) => (failure ??= err));
  }
  await takeAll(report, 'the clocks were not compared', () => clockFindings(clock, output.note));
  if (options.directory === true) {
    await takeAll(report, 'the directory was not looked at', () => directoryFindings(context.env, services));
  }
  if (failure !== undefined) throw failure as Error;
  const noHistory = await whyNoHistory(services);
  if (noHistory !== undefined) output.note(`role-build history can't list requests: ${noHistory}`);

  const { whyNot, whyJobsUnknown, room } = await readinessOf(services, report.repaired > 0);
  output.note(room);
  if (whyNot !== undefined) {
    output.note(`the records were not compared: ${whyNot}`);
    return concluded(context, report);
  }
  const counts: Counts = { status_records: 0, history_records: 0, executions: 0, step_functions: 0 };
  const progress = context.json ? () => undefined : progressOf(output, counts);
  const examine = examinerOf(services, askApi, clock);
  for (const { name, candidates, needsJobs } of PASSES) {
    if (needsJobs && whyJobsUnknown !== undefined) {
      output.note(`${name} was not checked: ${whyJobsUnknown}`);
      continue;
    }
    await takeAll(report, `${name} was not checked to its end`, async function* () {
      for await (const page of candidates({ services, counts, clock })) {
        progress();
        yield* (await inParallel(page, examine)).flat();
        if (signal.aborted) return;
      }
    });
    if (report.quit) break;
  }
  return concluded(context, report, counts);
}

/** Reports findings one by one. @param undone what is left unchecked if a call for it is denied */
async function takeAll(
  report: Reporter,
  undone: string,
  look: () => AsyncIterable<Finding> | Iterable<Finding> | Promise<Finding[]>,
): Promise<void> {
  try {
    for await (const finding of await look()) {
      await report.take(finding);
      if (report.quit) return;
    }
  } catch (err) {
    if (!isDenied(err)) throw err;
    await report.take(deniedFinding(err, undone));
  }
}

function concluded({ output, signal }: CommandContext, report: Reporter, counts?: Counts): ExitReason {
  if (report.quit) output.note('stopped: the rest was not checked');
  if (counts !== undefined) {
    const { status_records, history_records, executions, step_functions } = counts;
    output.note(
      `looked at ${status_records} status records, ${history_records} history records, ${executions} executions; ` +
        `${step_functions} records of Step Functions IN_PROGRESS left alone`,
    );
  }
  output.note(`findings: ${report.findings}, repaired: ${report.repaired}, left: ${report.left}`);
  if (report.doubted > 0) {
    output.note(
      `${report.doubted} of them in doubt, which --yes does not confirm: role-build doctor --fix asks about each`,
    );
  }
  if (signal.aborted) return 'interrupted';
  return report.left > 0 || report.quit ? 'endedOtherwise' : 'done';
}

function progressOf(output: Output, counts: Counts): () => void {
  let noted = 0;
  return () => {
    const items = counts.status_records + counts.history_records + counts.executions;
    if (items - noted < PROGRESS_EVERY) return;
    noted = items - (items % PROGRESS_EVERY);
    output.note(`${noted} looked at …`);
  };
}
