/** The states of both records, and which may follow which. */
export const RECORD_STATUSES = {
  IN_PROGRESS: { ended: false, next: ['COMPLETE', 'FAILED', 'CANCELLED'] },
  COMPLETE: { ended: true, next: [] },
  FAILED: { ended: true, next: [] },
  CANCELLED: { ended: true, next: [] },
} as const satisfies Record<string, { ended: boolean; next: readonly string[] }>;

export type RecordStatus = keyof typeof RECORD_STATUSES;

/** How a build ended. */
export type EndStatus = Exclude<RecordStatus, 'IN_PROGRESS'>;

export const END_STATUSES = ['COMPLETE', 'FAILED', 'CANCELLED'] as const satisfies readonly EndStatus[];

/** Whether a record's `status`, whatever stands there, is one of the states. */
export function isRecordStatus(status: unknown): status is RecordStatus {
  return typeof status === 'string' && Object.hasOwn(RECORD_STATUSES, status);
}

/** Whether it says that the build has ended. */
export function isEndStatus(status: unknown): status is EndStatus {
  return isRecordStatus(status) && RECORD_STATUSES[status].ended;
}
