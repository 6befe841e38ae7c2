/** The activities' names, arguments and results: all that workflow code may know of them. */
import type { BuildStatusAnswer } from '../domain/build-status.ts';
import type { ErrorInfo } from '../domain/failures.ts';
import type { Job } from '../domain/identity.ts';
import type { Resumption } from '../domain/resumption.ts';
import type { Fault, HistoryRequest, RoleBuildInput } from '../domain/role-build-input.ts';

/** Who holds a record that was therefore not written; `null` where the write was done. */
export type Holder = { job_id: string; start_at: string } | null;

/** `null` where a last write was made; else who holds the record, or that no record of the job is there to end. */
export type LastWriteResult = Holder | { absent: true };

export interface EndOfRecord {
  account_id: string;
  resource: string;
  /** For the log. */
  correlation_id?: string;
  job: Job;
  build_id?: string;
}

export interface EndOfHistory {
  request: HistoryRequest;
  job: Job;
  build_id?: string;
  /**
   * Whether to write the whole record where this job's is missing. `false` where the run does not know by itself whether the
   * status record was written: then only if that is this job's.
   */
  may_create: boolean;
}

/** What a call of the build API needs. */
export interface BuildApiTarget {
  url: string;
  encrypted_jwt: string;
  correlation_id: string;
  /** For the log. */
  job_id?: string;
}

/** One activity for each Task state of the original, under the state's own name. */
export interface RoleBuildActivities {
  /** Checks the input, then puts the status record. */
  upsertRequestRecord(input: RoleBuildInput, job: Job, resumption?: Resumption): Promise<Holder>;
  insertRequestHistory(request: HistoryRequest, job: Job): Promise<Holder>;
  triggerBuild(target: BuildApiTarget, buildBody: RoleBuildInput['build_body']): Promise<{ build_id: string }>;
  /** Runs as a local activity. */
  getBuildStatus(target: BuildApiTarget, buildId: string): Promise<BuildStatusAnswer>;
  updateSuccessfulRecord(end: EndOfRecord): Promise<LastWriteResult>;
  updateSuccessfulHistory(end: EndOfHistory): Promise<LastWriteResult>;
  updateFailedRecord(end: EndOfRecord, errorInfo: ErrorInfo): Promise<LastWriteResult>;
  updateFailedHistory(end: EndOfHistory, errorInfo: ErrorInfo): Promise<LastWriteResult>;
  updateCancelledRecord(end: EndOfRecord): Promise<LastWriteResult>;
  updateCancelledHistory(end: EndOfHistory): Promise<LastWriteResult>;
}

/** No state of the original: what a workflow can't do for itself. */
export interface OwnWorkflowActivities {
  /** Asks Temporal to cancel the workflow that calls it. */
  requestOwnCancellation(): Promise<void>;
  /**
   * Checks what a run was handed that continues another, as `upsertRequestRecord` does. Runs as a local activity.
   *
   * @returns its faults
   */
  checkCarriedInput(input: RoleBuildInput, job: Job, resumption?: Resumption): Promise<Fault[]>;
}

/** The original's state of each activity, as it stands in messages. */
export const STATE_NAMES = {
  upsertRequestRecord: 'UpsertRequestRecord',
  insertRequestHistory: 'InsertRequestHistory',
  triggerBuild: 'TriggerBuild',
  getBuildStatus: 'GetBuildStatus',
  updateSuccessfulRecord: 'UpdateSuccessfulRecord',
  updateSuccessfulHistory: 'UpdateSuccessfulHistory',
  updateFailedRecord: 'UpdateFailedRecord',
  updateFailedHistory: 'UpdateFailedHistory',
  updateCancelledRecord: 'UpdateCancelledRecord',
  updateCancelledHistory: 'UpdateCancelledHistory',
} as const satisfies Record<keyof RoleBuildActivities, string>;

/** @returns an activity's state; of one that is none of ours, its own name */
export function stateNameOf(activity: string): string {
  return Object.hasOwn(STATE_NAMES, activity) ? STATE_NAMES[activity as keyof typeof STATE_NAMES] : activity;
}
