import { workflowInfo } from '@temporalio/workflow';
import { workflowIdOf } from '../contract.ts';
import { clip } from '../domain/failures.ts';
import { WORKFLOW_ID_MAX_BYTES } from '../domain/identity.ts';
import { newProgress, progressFaults, type Progress } from '../domain/progress.ts';
import { isResumption, type Resumption } from '../domain/resumption.ts';
import {
  DEADLINE_MAX_SECONDS,
  INPUT_MAX_DEPTH,
  isTooDeep,
  type Fault,
  type RoleBuildInput,
} from '../domain/role-build-input.ts';
import { isContinued } from './continue-as-new.ts';
import { UNDECODABLE } from './converters.ts';

const SHOWN_CHARACTERS = 256;
/** Such an input can't even be passed to the activity that checks it: the workflow task would fail forever. */
const TOO_DEEP = `is nested more than ${INPUT_MAX_DEPTH} levels deep`;
/** JSON.stringify would turn it into `null` on the way to the activity that checks the input. */
const INFINITE = 'has a number too large to be carried exactly; send it as a string';
const NO_JSON = 'must be JSON, in a payload of the encoding json/plain';

/**
 * Returns what is wrong with a run's start. Any client may start a workflow with any options, or continue as new as
 * one. The first activity checks the input itself.
 */
export function faultsOfStart(input: unknown, given: unknown): Fault[] {
  return [...inputFaults(input), ...optionFaults(), ...givenFaults(given)];
}

/** Only the workflow ID ensures one build at a time. The first activity refuses an input that yields no valid ID. */
function inputFaults(input: unknown): Fault[] {
  if (input === UNDECODABLE) return [{ path: '(input)', message: NO_JSON }];
  if (isTooDeep(input)) return [{ path: '(input)', message: TOO_DEEP }];
  if (hasInfinity(input)) return [{ path: '(input)', message: INFINITE }];
  const { build_body: body, ddb_composite_sort_key: resource } = (input ?? {}) as Partial<RoleBuildInput>;
  if (typeof body?.account_id !== 'string' || typeof resource !== 'string') return [];
  const { workflowId } = workflowInfo();
  const must = workflowIdOf(body.account_id, resource);
  if (must === workflowId || new TextEncoder().encode(must).length > WORKFLOW_ID_MAX_BYTES) return [];
  const shown = JSON.stringify(clip(workflowId, SHOWN_CHARACTERS));
  return [{ path: '(start).workflow_id', message: `must be ${JSON.stringify(must)}, not ${shown}` }];
}

/** JSON has no infinity, but numbers such as 1e400 are parsed as one. */
function hasInfinity(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.values(value).some(hasInfinity);
  return value === Infinity || value === -Infinity;
}

function optionFaults(): Fault[] {
  const { cronSchedule, retryPolicy, executionTimeoutMs, runTimeoutMs } = workflowInfo();
  const faults: Fault[] = [];
  const refuse = (option: string, message: string) => faults.push({ path: `(start).${option}`, message });
  if (cronSchedule) {
    refuse('cron_schedule', 'must not be set: a build is made once; cancel the workflow to end its schedule');
  }
  if (retryPolicy !== undefined) refuse('retry_policy', 'must not be set: a build makes its own retries');
  const timeouts = { workflow_execution_timeout: executionTimeoutMs, workflow_run_timeout: runTimeoutMs };
  for (const [option, ms = 0] of Object.entries(timeouts)) {
    // Temporal's time-skipping server sets both, to ten years, if nobody sets one.
    if (ms === 0 || ms >= DEADLINE_MAX_SECONDS * 1000) continue;
    refuse(option, 'must not be set: it would leave the records IN_PROGRESS; give the input deadline_seconds');
  }
  return faults;
}

/**
 * What a run knows at its start: what the previous run carried over, what it resumes, or nothing.
 *
 * @param given must have passed {@link faultsOfStart}
 */
export function progressAtStart(given: Progress | Resumption | null | undefined): Progress {
  const { runId, firstExecutionRunId, startTime } = workflowInfo();
  if (isContinued()) return given as Progress;
  // If somebody reset the workflow to before its first put, an earlier run may have put the record.
  const isReset = runId !== firstExecutionRunId;
  return newProgress(startTime.toISOString(), isReset ? 'unknown' : 'absent', given as Resumption | null | undefined);
}

/** Only a continued run may carry progress. From a client, it would count as checked. */
function givenFaults(given: unknown): Fault[] {
  const path = isContinued() ? '(carried)' : '(resumption)';
  if (given === UNDECODABLE) return [{ path, message: NO_JSON }];
  if (isTooDeep(given)) return [{ path, message: TOO_DEEP }];
  if (isContinued()) return progressFaults(given, workflowInfo().startTime.toISOString());
  if (given === undefined || given === null || isResumption(given)) return [];
  return [{ path, message: 'is not a valid resumption' }];
}
