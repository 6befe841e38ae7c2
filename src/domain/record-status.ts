/** The statuses of an ended build. No put of the same job replaces a record that has one. */
export const END_STATUSES = ['COMPLETE', 'FAILED', 'CANCELLED'] as const;

export type EndStatus = (typeof END_STATUSES)[number];

export type RecordStatus = 'IN_PROGRESS' | EndStatus;

/** Whether a record's `status`, which can be any value, is one of ours. */
export function isRecordStatus(status: unknown): status is RecordStatus {
  return status === 'IN_PROGRESS' || isEndStatus(status);
}

export function isEndStatus(status: unknown): status is EndStatus {
  return END_STATUSES.some((one) => one === status);
}
