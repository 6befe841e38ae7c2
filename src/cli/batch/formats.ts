/** How the lines of a batch may be written. */
export const BATCH_FORMATS = ['ndjson', 'csv'] as const;

export type BatchFormat = (typeof BATCH_FORMATS)[number];
