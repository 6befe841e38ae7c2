import type { RawItem } from '../support/stack.ts';
import type { Job } from './jobs.ts';

export const VIOLATION_KINDS = ['record wrong', 'build lost', 'triggered twice', 'polled too soon'] as const;

export interface Violation {
  kind: (typeof VIOLATION_KINDS)[number];
  message: string;
}

export const wrong = (message: string): Violation => ({ kind: 'record wrong', message });
export const lost = (message: string): Violation => ({ kind: 'build lost', message });

export function nameOf({ job_id, input }: Job): string {
  return `job ${job_id} (${input.ddb_composite_sort_key}, ${input.correlation_id})`;
}

export function text(item: RawItem | undefined, name: string): string | undefined {
  return item?.[name]?.S;
}
