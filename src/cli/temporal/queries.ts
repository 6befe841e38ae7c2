/** Turns filters into a query of Temporal's visibility. https://docs.temporal.io/list-filter */
import { keyword, ROLE_BUILD_WORKFLOW_TYPE, searchAttributes } from '../../contract.ts';
import { OPEN_QUERY, quotedForQuery } from '../../domain/execution-status.ts';
import { CliError } from '../errors/cli-error.ts';
import { parseSince } from '../terminal/times.ts';

export const BUILDS_QUERY = `WorkflowType = '${ROLE_BUILD_WORKFLOW_TYPE}'`;

export interface BuildFilters {
  account?: string;
  role?: string;
  action?: string;
  status?: keyof typeof STATUS_QUERIES;
  since?: string;
  dryRun?: boolean;
  query?: string;
}

/**
 * The statuses that `list` distinguishes: the records' own, and ends that no record tells. They go by Temporal's
 * status, because `BuildStatus` may have an end that the records do not have yet.
 */
const STATUS_QUERIES = {
  IN_PROGRESS: OPEN_QUERY,
  COMPLETE: `ExecutionStatus = 'Completed'`,
  FAILED: `ExecutionStatus = 'Failed'`,
  CANCELLED: `ExecutionStatus = 'Canceled'`,
  TERMINATED: `ExecutionStatus = 'Terminated'`,
  TIMED_OUT: `ExecutionStatus = 'TimedOut'`,
} as const;

export const LISTED_STATUSES = Object.keys(STATUS_QUERIES);

const FILTERS = ['account', 'role', 'action', 'status', 'since', 'dryRun', 'query'] as const;

export function isFiltered(filters: BuildFilters): boolean {
  return FILTERS.some((name) => filters[name] !== undefined);
}

/** @throws CliError `usage` naming the filter that is not valid */
export function buildsQuery(filters: BuildFilters): string {
  const { account, role, action, status, dryRun, query } = filters;
  if (account !== undefined && !/^\d{12}$/.test(account)) {
    throw new CliError('usage', `--account must be 12 digits, not ${JSON.stringify(account)}`);
  }
  const since = sinceOf(filters);
  return [
    BUILDS_QUERY,
    // The run that continues the job is listed.
    `ExecutionStatus != 'ContinuedAsNew'`,
    ...(account === undefined ? [] : [equals('AccountId', account)]),
    ...(role === undefined ? [] : [equals('CustomRoleName', role)]),
    ...(action === undefined ? [] : [equals('BuildAction', action)]),
    ...(status === undefined ? [] : [STATUS_QUERIES[status]]),
    ...(dryRun === true ? [`${searchAttributes.DryRun.name} = true`] : []),
    ...(since === undefined ? [] : [`StartTime >= '${since}'`]),
    ...(query === undefined ? [] : [`(${query})`]),
  ].join(' AND ');
}

/** @returns ISO 8601 @throws CliError `usage` */
export function sinceOf({ since }: Pick<BuildFilters, 'since'>): string | undefined {
  if (since === undefined) return undefined;
  const parsed = parseSince(since);
  if (parsed === undefined) {
    throw new CliError(
      'usage',
      `--since must be a span such as 90m, 2h or 3d, or an ISO 8601 time, not ${JSON.stringify(since)}`,
    );
  }
  return parsed;
}

function equals(attribute: keyof typeof searchAttributes, value: string): string {
  return `${searchAttributes[attribute].name} = ${quotedForQuery(keyword(value))}`;
}
