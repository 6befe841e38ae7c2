/** The activities' names, arguments and results. Workflow code imports nothing else of the activities. */
import type { BuildStatusAnswer } from '../domain/build-status.ts';
import type { DirectoryGroup, GroupRequest } from '../domain/directory-group.ts';
import type { ErrorInfo } from '../domain/failures.ts';
import type { Job } from '../domain/identity.ts';
import type { Resumption } from '../domain/resumption.ts';
import type { BuildApiTarget, Fault, HistoryRequest, RoleBuildInput } from '../domain/role-build-input.ts';

/**
 * Result of a final update of a job's record: `null` if it was made, the newer job that holds the record, or `absent`
 * if the job has no record. A put has only the first two results. Histories hold this form.
 */
export type Written = null | Job | { absent: true };

export interface EndOfRecord {
  account_id: string;
  resource: string;
  /** For the log. */
  correlation_id?: string;
  job: Job;
  build_id?: string;
  directory_group?: DirectoryGroup;
}

export interface EndOfHistory {
  request: HistoryRequest;
  job: Job;
  build_id?: string;
  /** `null` removes the group of an older job. */
  directory_group?: DirectoryGroup | null;
  /**
   * Whether to write the whole record if this job has none. `false` if the run does not know whether the status record
   * was written. Then the activity writes it only if the status record is this job's.
   */
  may_create: boolean;
}

/** One activity for each Task state of the Step Functions state machine, under the state's own name. */
export interface RoleBuildActivities {
  /** Checks the input, then puts the status record. @returns the newer job that holds it, if one does */
  upsertRequestRecord(input: RoleBuildInput, job: Job, resumption?: Resumption): Promise<Job | null>;
  insertRequestHistory(request: HistoryRequest, job: Job): Promise<Job | null>;
  triggerBuild(target: BuildApiTarget, buildBody: RoleBuildInput['build_body']): Promise<{ build_id: string }>;
  /** Runs as a local activity. */
  getBuildStatus(target: BuildApiTarget, buildId: string): Promise<BuildStatusAnswer>;
  updateSuccessfulRecord(end: EndOfRecord): Promise<Written>;
  updateSuccessfulHistory(end: EndOfHistory): Promise<Written>;
  updateFailedRecord(end: EndOfRecord, errorInfo: ErrorInfo): Promise<Written>;
  updateFailedHistory(end: EndOfHistory, errorInfo: ErrorInfo): Promise<Written>;
  updateCancelledRecord(end: EndOfRecord): Promise<Written>;
  updateCancelledHistory(end: EndOfHistory): Promise<Written>;
}

/** Only workers with a directory run these, on a task queue of their own. */
export interface DirectoryActivities {
  /** Checks whether `ensureDirectoryGroup` could provide the group. Only reads. */
  checkDirectoryGroup(request: GroupRequest): Promise<DirectoryGroup>;
  /** Adopts the group, or makes it. */
  ensureDirectoryGroup(request: GroupRequest): Promise<DirectoryGroup>;
}

/** What a workflow can't do itself. These are no states of the state machine. */
export interface OwnWorkflowActivities {
  /** Asks Temporal to cancel the workflow that calls it. */
  requestOwnCancellation(): Promise<void>;
  /** Checks what a continued run was given, as `upsertRequestRecord` does. Runs as a local activity. */
  checkCarriedInput(input: RoleBuildInput, job: Job, resumption?: Resumption): Promise<Fault[]>;
}

/** The state machine's name for each activity. Messages use it. */
export const STATE_NAMES = {
  upsertRequestRecord: 'UpsertRequestRecord',
  insertRequestHistory: 'InsertRequestHistory',
  checkDirectoryGroup: 'CheckDirectoryGroup',
  triggerBuild: 'TriggerBuild',
  getBuildStatus: 'GetBuildStatus',
  ensureDirectoryGroup: 'EnsureDirectoryGroup',
  updateSuccessfulRecord: 'UpdateSuccessfulRecord',
  updateSuccessfulHistory: 'UpdateSuccessfulHistory',
  updateFailedRecord: 'UpdateFailedRecord',
  updateFailedHistory: 'UpdateFailedHistory',
  updateCancelledRecord: 'UpdateCancelledRecord',
  updateCancelledHistory: 'UpdateCancelledHistory',
} as const satisfies Record<keyof (RoleBuildActivities & DirectoryActivities), string>;

export function stateNameOf(activity: string): string {
  return Object.hasOwn(STATE_NAMES, activity) ? STATE_NAMES[activity as keyof typeof STATE_NAMES] : activity;
}
