/** Every kind of finding, and what it means; docs/doctor.md prints this table. */
export const FINDINGS = {
  TableMissing: 'a table does not exist',
  TableKeyMismatch: 'a table has another key than the original',
  SearchAttributeMissing: 'a search attribute is not registered',
  SearchAttributeMismatch: 'a search attribute is registered with another type',
  AccessDenied: 'a call that doctor needs is refused, so that part of the work is left undone',
  ClocksApart: "clocks differ by more than 30 s, or a record's start_at lies in the future",
  AttributeMissing: "a record lacks one of the original's attributes, or it has another type",
  StatusUnknown: "a record's status is none of ours",
  WorkflowGone: 'a record is IN_PROGRESS, and its workflow no longer runs',
  EndsDiffer:
    'the two tables tell different ends, a record tells another end than Temporal, or has an error_info without being FAILED',
  RecordMissing: 'one table lacks the record that the other has',
  WorkflowWithoutRecord: 'a workflow runs past the writing of a record that is not there',
} as const satisfies Record<string, string>;

/** Clocks may be so far apart, and `start_at` with them. A `Date` header has whole seconds. */
export const CLOCKS_APART_MS = 30_000;

export type FindingKind = keyof typeof FINDINGS;

/** What a finding is about, in the records' own names; only what applies. */
export interface Subject {
  table?: string;
  account_id?: string;
  resource?: string;
  correlation_id?: string;
  job_id?: string;
  workflow_id?: string;
  build_id?: string;
  /** What the status record says. */
  status?: unknown;
  /** What the history record says. */
  history_status?: unknown;
}

export interface Finding {
  finding: FindingKind;
  /** The same for a finding that is met again on another walk. */
  about: string;
  subject: Subject;
  reason: string;
  /** Why it may not be so after all: to mend it is a person's decision, one by one. */
  doubt?: string;
  /** What mends it; for a person where doctor can't. */
  fix: string;
  /** Mends it; absent where doctor can't, or must not. */
  mend?: () => Promise<Mended>;
}

/** What became of a finding. */
export interface Mended {
  result: 'mended' | 'left alone' | 'changed meanwhile; left alone';
  /** Whether there is still something to mend. */
  left: boolean;
}
