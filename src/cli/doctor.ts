import type { CommandContext, CommandResult } from './commands.ts';
import { readAskApi, type AskApiOptions } from './doctor/ask-api.ts';
import { checkClocks } from './doctor/clocks.ts';
import { Examiner, type Candidate } from './doctor/examine.ts';
import { inParallel } from './doctor/in-parallel.ts';
import { walkExecutions, walkHistoryTable, walkStatusTable, type Counts } from './doctor/passes.ts';
import { checkPrerequisites, whyNotComparable } from './doctor/prerequisites.ts';
import { Report } from './doctor/report.ts';
import { CliError } from './errors.ts';
import type { Output } from './output.ts';

export interface DoctorOptions extends AskApiOptions {
  fix?: boolean;
  yes?: boolean;
}

const PROGRESS_EVERY = 10_000;

/** Compares both tables with Temporal, lists what is not right, and mends what is safe to mend. */
export async function doctor(context: CommandContext, options: DoctorOptions): CommandResult {
  const { output, env, stdin, signal } = context;
  const { fix = false, yes = false } = options;
  if (yes && !fix) throw new CliError('usage', '--yes goes with --fix');
  if (fix && !yes && options.encryptedJwtFile === '-') {
    throw new CliError('usage', 'stdin can be the credential or the answers, not both: give --yes, or a file');
  }
  const askApi = await readAskApi(options, env, stdin, signal);
  const services = await context.services();
  const report = new Report(context, { fix, yes });

  const added: string[] = [];
  for (const finding of await checkPrerequisites(services, added)) await report.take(finding);
  for (const finding of await checkClocks(services, output.note)) await report.take(finding);

  const why = await whyNotComparable(services, added);
  if (why !== undefined) {
    output.note(`the records were not compared: ${why}`);
    return concluded(output, report);
  }
  const counts: Counts = { status_records: 0, history_records: 0, executions: 0, step_functions: 0 };
  const progress = context.json ? () => undefined : progressOf(output, counts);
  const examiner = new Examiner(services, askApi);
  for (const walk of [walkStatusTable, walkHistoryTable, walkExecutions]) {
    for await (const suspects of walk(services, counts)) {
      progress();
      await examineAll(examiner, suspects, report);
      if (report.quit) return concluded(output, report, counts);
      signal.throwIfAborted();
    }
  }
  return concluded(output, report, counts);
}

async function examineAll(examiner: Examiner, suspects: readonly Candidate[], report: Report): Promise<void> {
  const findings = await inParallel(suspects, (suspect) => examiner.examine(suspect));
  for (const finding of findings.flat()) await report.take(finding);
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
