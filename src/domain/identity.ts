/** Temporal's default limit on IDs. https://docs.temporal.io/cloud/limits */
export const WORKFLOW_ID_MAX_BYTES = 1000;

/** One execution of a build. Both values stay the same through continue-as-new. */
export interface Job {
  /** The workflow's first run ID. */
  job_id: string;
  /** When the workflow first started: ISO 8601, UTC, milliseconds. */
  start_at: string;
}

/** Whether a value is a time as `Date.prototype.toISOString` writes it. */
export function isInstant(value: unknown): boolean {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value)) return false;
  const ms = Date.parse(value);
  return !Number.isNaN(ms) && new Date(ms).toISOString() === value;
}

/** The `job_id` of a Step Functions execution is an ARN, whose partition may be `aws-us-gov`, `aws-cn` or another. */
export const STEP_FUNCTIONS_JOB_PREFIX = 'arn:';

/** Whether a record's `job_id`, which can be any value, is that of a Step Functions execution. */
export function isStepFunctionsJob(jobId: unknown): boolean {
  return typeof jobId === 'string' && jobId.startsWith(STEP_FUNCTIONS_JOB_PREFIX);
}

/** Run IDs are UUIDs. Temporal refuses any other text as a run ID, and it should not get into a query. */
export function isRunId(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}

/** The workflow ID of every build for an account and resource. It ensures that one build runs at a time. */
export function workflowIdOf(accountId: string, resource: string): string {
  return `role-build:${accountId}:${resource}`;
}

/** Account and resource of a workflow ID made by {@link workflowIdOf}; `undefined` for any other. */
export function parseWorkflowId(workflowId: string): { account_id: string; resource: string } | undefined {
  const match = /^role-build:(\d{12}):(.+)$/s.exec(workflowId);
  return match?.[1] !== undefined && match[2] !== undefined ? { account_id: match[1], resource: match[2] } : undefined;
}

/** Whether two role or resource names differ in case alone. In one account, IAM treats such roles as the same role. */
export function differByCaseOnly(one: string, other: string): boolean {
  return one !== other && ignoringCase(one) === ignoringCase(other);
}

/** Returns the form in which IAM compares a name: the same for names that differ in case alone. */
export function ignoringCase(name: string): string {
  return name.toLowerCase();
}
