/** What people see of a running build: details in Temporal's Web UI, and a log line for each event. Adds no history. */
import { log, setCurrentDetails, workflowInfo } from '@temporalio/workflow';
import { parseRoleBuildId, searchAttributes, WAIT_SUMMARY } from '../contract.ts';
import { defined } from '../domain/defined.ts';
import type { Ending, Progress } from '../domain/progress.ts';

/** Shows and logs the state that a build is in. @param more why the build waits, or until when */
export function showStep(progress: Progress, step: string, more?: string): void {
  progress.step = step;
  // The worker logs polls at `debug`. A log line from here would copy all workflow info out of the sandbox.
  const comesWithEveryPoll = step === WAIT_SUMMARY || step === 'GetBuildStatus';
  if (!comesWithEveryPoll && more === undefined) log.info(step, fields(step));
  else if (!comesWithEveryPoll) log.warn(`${step}: ${more}`, fields(step));
  showDetails(progress, step, more);
}

/** Shows and logs how a build ended. */
export function showEnded(progress: Progress, ending: Ending): void {
  const { step, polls, contested } = progress;
  const cause = ending.status === 'FAILED' ? ending.error_info.Error : undefined;
  const more = defined({ outcome: ending.status, polls, contested, cause });
  log.info(`ended ${ending.status}`, { ...fields(step), ...more });
  progress.step = `ended ${ending.status}`;
  showDetails(progress, progress.step);
}

export function logRefused(step: string | undefined, refusal: string, why: string): void {
  log.warn(`refused: ${why}`, { ...fields(step), cause: refusal });
}

/** Fields that identify a build's log lines. */
function fields(step: string | undefined): Record<string, unknown> {
  const { workflowId, firstExecutionRunId, typedSearchAttributes } = workflowInfo();
  return {
    correlation_id: typedSearchAttributes.get(searchAttributes.CorrelationId),
    job_id: firstExecutionRunId,
    ...parseRoleBuildId(workflowId),
    step,
  };
}

function showDetails(progress: Progress, step: string, more?: string): void {
  const { polls, build_id, last_status, directory_group: group, ending, contested } = progress;
  const lines = [`**${step}**${more === undefined ? '' : `: ${more}`}`, '', `- polls: ${polls}`];
  if (build_id !== undefined) lines.push(`- build_id: ${code(build_id)}`);
  if (last_status !== undefined) lines.push(`- last answer: ${code(last_status)}`);
  if (group !== undefined) lines.push(`- group: ${code(group.name)}, ${group.outcome}`);
  if (ending?.status === 'FAILED') {
    lines.push(`- error: ${ending.error_info.Error}`, `- cause: ${code(ending.error_info.Cause.slice(0, 1000))}`);
  }
  if (contested) lines.push('- contested: true (a newer job holds a record, which was left alone)');
  setCurrentDetails(lines.join('\n'));
}

/** Quotes text from outside, so that it can't be taken for Markdown. */
export function code(text: string): string {
  return `\`${text.replaceAll('`', "'").replace(/[\r\n]+/g, ' ')}\``;
}
