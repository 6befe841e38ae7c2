/** How a build ended. A record that says so stays as it is. */
export const END_STATUSES = ['COMPLETE', 'FAILED', 'CANCELLED'] as const;

export type EndStatus = (typeof END_STATUSES)[number];

/** The states of both records. */
export type RecordStatus = 'IN_PROGRESS' | EndStatus;

/** Whether a record's `status`, whatever stands there, is one of the states. */
export function isRecordStatus(status: unknown): status is RecordStatus {
  return status === 'IN_PROGRESS' || isEndStatus(status);
}

export function isEndStatus(status: unknown): status is EndStatus {
  return END_STATUSES.some((one) => one === status);
}
