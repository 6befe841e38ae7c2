/** The kinds of findings, and what a finding contains. */
import { hasGrpcStatus } from '../../../domain/grpc.ts';

/** Every kind of finding with its meaning; docs/operations.md prints this table. */
export const FINDINGS = {
  TableMissing: 'a table does not exist',
  TableKeyMismatch: 'a table has another key than that of the Step Functions state machine',
  SearchAttributeMissing: 'a search attribute is not registered',
  SearchAttributeMismatch: 'a search attribute is registered with another type',
  AccessDenied: 'a call that doctor needs is refused, so part of the check is not done',
  ClocksApart:
    "DynamoDB's clock and this machine's differ by more than 30 s, or a record's start_at lies in the future",
  AttributeMissing: 'a record lacks an attribute that the state machine writes, or it has another type',
  StatusUnknown: "a record's status is not one that builds write",
  WorkflowGone: 'a record is IN_PROGRESS, and its workflow no longer runs',
  EndsDiffer:
    'the two tables have different ends, a record has another end than Temporal, or has an error_info without being FAILED',
  RecordMisplaced: 'a record has another key than its job',
  RecordMissing: 'one table lacks the record that the other has',
  WorkflowUnreadable:
    "a job's workflow can't be read, for example because its key is missing, so its records were not compared with it",
  WorkflowWithoutRecord: 'a workflow has passed the step that writes a record, and the record is missing',
  DirectoryUnusable:
    'groups can not be created, or the certificate expires within 30 days: connection, certificate, bind, permission',
  DirectoryGroupDuplicate: 'a group was made twice, and replication renamed one of the two',
  DirectoryGroupGone: 'a recorded group is no longer in the OU',
  DirectoryGroupRenamed: 'a recorded group now has another name',
} as const satisfies Record<string, string>;

export type FindingKind = keyof typeof FINDINGS;

/** What a finding is about, with the records' field names; only those that apply. */
export interface Subject {
  table?: string;
  account_id?: string;
  resource?: string;
  correlation_id?: string;
  job_id?: string;
  workflow_id?: string;
  build_id?: string;
  /** The status in the status record. */
  status?: unknown;
  /** The status in the history record. */
  history_status?: unknown;
}

export interface Finding {
  finding: FindingKind;
  /** The same text if another pass finds the same thing again. */
  about: string;
  subject: Subject;
  reason: string;
  /** Why the finding may be wrong. A person then has to agree to the repair. */
  doubt?: string | undefined;
  /** What repairs it, or what a person has to do. */
  fix: string;
  /** Absent if doctor can't or must not repair it. */
  repair?: (() => Promise<Repaired>) | undefined;
}

/** The result of a repair. */
export interface Repaired {
  result: 'mended' | 'left alone' | 'changed meanwhile; left alone';
  /** Whether the finding remains. */
  left: boolean;
}

export const REPAIRED: Repaired = { result: 'mended', left: false };
export const LEFT_ALONE: Repaired = { result: 'left alone', left: true };

/** Whether a service denies a call to a caller that it knows. */
export function isDenied(err: unknown): boolean {
  return hasGrpcStatus(err, 'PERMISSION_DENIED') || awsDenial(err) !== undefined;
}

/** Whether DynamoDB refuses one record, for example for its size. Other records can still be written. */
export function isRefusedWrite(err: unknown): boolean {
  return err instanceof Error && (err.name === 'ValidationException' || isRefusedWrite(err.cause));
}

/** @param undone what was not checked because of the denial */
export function deniedFinding(err: unknown, undone: string): Finding {
  const denial = awsDenial(err);
  return {
    finding: 'AccessDenied',
    about: undone,
    subject: {},
    reason: `${undone}: ${(denial ?? (err as Error)).message}`,
    fix:
      denial === undefined
        ? 'have Temporal let this identity read the namespace and write to it'
        : 'give this identity the policy deploy/iam/doctor.json, for --fix deploy/iam/doctor-fix.json',
  };
}

function awsDenial(err: unknown): Error | undefined {
  if (!(err instanceof Error)) return undefined;
  return /^AccessDenied|^NotAuthorized/.test(err.name) ? err : awsDenial(err.cause);
}
