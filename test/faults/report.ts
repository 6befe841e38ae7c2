/** Counts faults and their results for `npm run test:faults`. */
import { appendFileSync } from 'node:fs';
import type { Fault } from '../../dev/simulated-build-api/server.ts';
import type { Truth } from './truth.ts';
import { VIOLATION_KINDS, type Violation } from './violation.ts';

/** The variable with the path of the file to which each test file appends a line of JSON. */
export const REPORT_VARIABLE = 'FAULTS_REPORT';

export interface Report {
  file: string;
  schedules: number;
  /** Builds that ran to their end, or should have. */
  builds: number;
  faults: Record<string, number>;
  violations: Record<(typeof VIOLATION_KINDS)[number], number>;
}

export function newReport(file: string): Report {
  const violations = Object.fromEntries(VIOLATION_KINDS.map((kind) => [kind, 0])) as Report['violations'];
  return { file, schedules: 0, builds: 0, faults: {}, violations };
}

export function addToReport(report: Report, truth: Truth, violations: readonly Violation[]): void {
  report.builds += truth.jobs.length;
  for (const { kind } of violations) report.violations[kind] += 1;
  const kinds = [
    ...truth.processFaults,
    ...truth.calls.flatMap(({ fault }) => (fault === undefined ? [] : [DYNAMODB_FAULTS[fault]])),
    ...truth.requests.flatMap(({ fault }) => (fault === null ? [] : [kindOf(fault)])),
  ];
  for (const kind of kinds) report.faults[kind] = (report.faults[kind] ?? 0) + 1;
}

export function writeReport(report: Report): void {
  const file = process.env[REPORT_VARIABLE];
  if (file !== undefined && file !== '') appendFileSync(file, `${JSON.stringify(report)}\n`);
}

const DYNAMODB_FAULTS = {
  throttle: 'DynamoDB: throttled',
  refuse: 'DynamoDB: connection broken, nothing written',
  'lose-answer': 'DynamoDB: written, answer lost',
  hang: 'DynamoDB: no answer in time, nothing written',
  'hang-after': 'DynamoDB: written, no answer in time',
  stall: 'DynamoDB: answer does not end, nothing written',
  flood: 'DynamoDB: endless answer, nothing written',
  late: 'DynamoDB: written only after the next attempt',
} as const;

function kindOf(fault: Fault): string {
  const { drop, hang, status, headers, bytes } = fault;
  const taken = fault.takes_effect === false ? ', not taken' : ', taken';
  if (hang === true) return `build API: no answer in time${taken}`;
  if (drop === 'before') return 'build API: connection broken, not taken';
  if (drop === 'after') return 'build API: reset, taken';
  if (drop === 'reset-mid-body') return 'build API: reset in the middle of the body';
  if (drop === 'mid-body') return 'build API: broken in the middle of the body';
  if (status !== undefined && status >= 500) return 'build API: 5xx';
  if (status !== undefined && status >= 400) {
    if (headers !== undefined && 'retry-after' in headers) return `build API: ${status} with Retry-After`;
    return `build API: ${status}`;
  }
  if (status !== undefined && status >= 300) return 'build API: redirect';
  if (bytes !== undefined) return 'build API: oversized body';
  if ('body' in fault || 'text' in fault) return 'build API: not the answer that was agreed';
  return 'build API: slow answer';
}
