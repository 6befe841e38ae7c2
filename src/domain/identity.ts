/** Temporal's own default limit on IDs is 1,000. https://docs.temporal.io/cloud/limits */
export const WORKFLOW_ID_MAX_BYTES = 1000;

/** One execution of a build. Both values stay the same through continue-as-new. */
export interface Job {
  /** The workflow's first run ID. */
  job_id: string;
  /** When the workflow first started: ISO 8601, UTC, milliseconds. */
  start_at: string;
}

/** As `Date.prototype.toISOString` writes it. */
export function isInstant(value: unknown): boolean {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value)) return false;
  const ms = Date.parse(value);
  return !Number.isNaN(ms) && new Date(ms).toISOString() === value;
}

/** How the `job_id` of an execution of Step Functions begins: an ARN, whose partition may be `aws-us-gov`, `aws-cn` or another. */
export const STEP_FUNCTIONS_JOB_PREFIX = 'arn:';

/** Whether a record's `job_id`, whatever stands there, is that of an execution of Step Functions. */
export function isStepFunctionsJob(jobId: unknown): boolean {
  return typeof jobId === 'string' && jobId.startsWith(STEP_FUNCTIONS_JOB_PREFIX);
}

/** Temporal's run IDs are UUIDs: it refuses anything else as one, and a query should not hold it. */
export function isRunId(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}

/** The workflow ID of every build for an account and resource: one at a time follows from it. */
export function workflowIdOf(accountId: string, resource: string): string {
  return `role-build:${accountId}:${resource}`;
}

/** Account and resource of a workflow ID made by {@link workflowIdOf}, or `undefined` for another's. */
export function parseWorkflowId(workflowId: string): { account_id: string; resource: string } | undefined {
  const match = /^role-build:(\d{12}):(.+)$/s.exec(workflowId);
  return match?.[1] !== undefined && match[2] !== undefined ? { account_id: match[1], resource: match[2] } : undefined;
}

/** Whether two names of roles, or of resources, are one name but for case. IAM takes such roles of one account for the same role. */
export function differByCaseOnly(one: string, other: string): boolean {
  return one !== other && ignoringCase(one) === ignoringCase(other);
}

/** A name as IAM compares it with others: the same for all that differ by no more than case. */
export function ignoringCase(name: string): string {
  return name.toLowerCase();
}
