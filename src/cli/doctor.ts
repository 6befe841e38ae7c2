import type { CommandContext, CommandResult } from './commands.ts';
import { readAskApi, type AskApiOptions } from './doctor/ask-api.ts';
import { clockFindings, readClocks } from './doctor/clocks.ts';
import { deniedFinding, isDenied } from './doctor/denied.ts';
import { Examiner } from './doctor/examine.ts';
import type { Finding } from './doctor/kinds.ts';
import { walkExecutions, walkHistoryTable, walkStatusTable, type Counts } from './doctor/passes.ts';
import { jobsAndRoom, prerequisites, whyNoHistory, whyNotComparable } from './doctor/prerequisites.ts';
import { Report } from './doctor/report.ts';
import { CliError } from './errors.ts';
import { inParallel } from './in-parallel.ts';
import type { Output } from './output.ts';

export interface DoctorOptions extends AskApiOptions {
  fix?: boolean;
  yes?: boolean;
}

const PROGRESS_EVERY = 10_000;

/** Compares both tables with Temporal, lists what is not right, and mends what is safe to mend. */
export async function doctor(context: CommandContext, options: DoctorOptions): CommandResult {
  const { output, signal } = context;
  const { fix = false, yes = false } = options;
  if (yes && !fix) throw new CliError('usage', '--yes goes with --fix');
  if (fix && !yes && options.encryptedJwtFile === '-') {
    throw new CliError('usage', 'stdin can be the credential or the answers, not both: give --yes, or a file');
  }
  const askApi = await readAskApi(options, context);
  const services = await context.services();
  const report = new Report(context, { fix, yes });

  const clocks = await readClocks(services);
  // Temporal's, by which each start_at was taken: this machine's clock may be what is wrong.
  const now = () => Date.now() + (clocks.temporal.aheadMs ?? 0);
  const added: string[] = [];
  let failure: unknown;
  for (const { look, undone } of [
    ...prerequisites(services, added),
    { look: () => clockFindings(Object.values(clocks), output.note), undone: 'the clocks were not compared' },
  ]) {
    // What is wrong with one service keeps nobody from hearing what is wrong with the rest.
    await takeAll(report, undone, look).catch((err: unknown) => (failure ??= err));
  }
  if (failure !== undefined) throw failure as Error;
  const noHistory = await whyNoHistory(services);
  if (noHistory !== undefined) output.note(`role-build history can't list requests: ${noHistory}`);

  const whyNot = await whyNotComparable(services, added);
  const { whyJobsUnknown, room } = await jobsAndRoom(services);
  output.note(room);
  if (whyNot !== undefined) {
    output.note(`the records were not compared: ${whyNot}`);
    return concluded(output, report);
  }
  const counts: Counts = { status_records: 0, history_records: 0, executions: 0, step_functions: 0 };
  const progress = context.json ? () => undefined : progressOf(output, counts);
  const examiner = new Examiner(services, askApi, now);
  for (const { name, walk } of WALKS) {
    if (walk === walkExecutions && whyJobsUnknown !== undefined) {
      output.note(`${name} was not looked through: ${whyJobsUnknown}`);
      continue;
    }
    await takeAll(report, `${name} was not looked through to its end`, async function* () {
      for await (const suspects of walk({ services, counts, now })) {
        progress();
        const findings = await inParallel(suspects, (suspect) => examiner.examine(suspect));
        yield* findings.flat();
        signal.throwIfAborted();
      }
    });
    if (report.quit) break;
  }
  return concluded(output, report, counts);
}

const WALKS = [
  { name: 'the status table', walk: walkStatusTable },
  { name: 'the history table', walk: walkHistoryTable },
  { name: "Temporal's list of builds", walk: walkExecutions },
];

/** Takes findings as they come. @param undone what is left undone where a call is refused that they need */
async function takeAll(
  report: Report,
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

function concluded(output: Output, report: Report, counts?: Counts): 'done' | 'endedOtherwise' {
  if (report.quit) output.note('stopped: what comes after was not looked at');
  if (counts !== undefined) {
    const { status_records, history_records, executions, step_functions } = counts;
    output.note(
      `looked at ${status_records} status records, ${history_records} history records, ${executions} executions; ` +
        `${step_functions} records of Step Functions IN_PROGRESS left alone`,
    );
  }
  output.note(`findings: ${report.findings}, mended: ${report.mended}, left: ${report.left}`);
  if (report.doubted > 0) {
    output.note(
      `${report.doubted} of them in doubt, for which --yes does not answer: role-build doctor --fix asks about each`,
    );
  }
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
