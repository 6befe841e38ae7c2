/** The statuses that `list` tells apart: the records' own, and the ends that no record tells of. */
export const LISTED_STATUSES = ['IN_PROGRESS', 'COMPLETE', 'FAILED', 'CANCELLED', 'TERMINATED', 'TIMED_OUT'] as const;

export type ListedStatus = (typeof LISTED_STATUSES)[number];
