/** A line an event, with what tells its build from others. Nothing is logged again on replay: the SDK's logger sees to it. */
import { log, workflowInfo } from '@temporalio/workflow';
import { parseRoleBuildId, searchAttributes, WAIT_SUMMARY } from '../contract.ts';
import type { EndStatus } from '../domain/record-status.ts';
import type { Progress } from '../domain/progress.ts';

export function logStep(step: string, more?: string): void {
  if (comesWithEveryPoll(step)) return;
  log[more === undefined ? 'info' : 'warn'](more === undefined ? step : `${step}: ${more}`, fields(step));
}

export function logEnded({ step, ending, polls, contested }: Progress, status: EndStatus): void {
  const cause = ending?.status === 'FAILED' ? ending.error_info.Error : undefined;
  const more = { outcome: status, polls, contested, ...(cause === undefined ? {} : { cause }) };
  log.info(`ended ${status}`, { ...fields(step), ...more });
}

export function logRefused(step: string | undefined, refusal: string, why: string): void {
  log.warn(`refused: ${why}`, { ...fields(step), cause: refusal });
}

/** The worker logs polls, at `debug`; a line from here would take all that is known of the workflow out of the sandbox with it. */
function comesWithEveryPoll(step: string): boolean {
  return step === WAIT_SUMMARY || step === 'GetBuildStatus';
}

function fields(step: string | undefined): Record<string, unknown> {
  const { workflowId, firstExecutionRunId, typedSearchAttributes } = workflowInfo();
  const key = parseRoleBuildId(workflowId);
  return {
    correlation_id: typedSearchAttributes.get(searchAttributes.CorrelationId),
    job_id: firstExecutionRunId,
    account_id: key?.accountId,
    resource: key?.resource,
    step,
  };
}
