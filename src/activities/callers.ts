import { activityInfo, ApplicationFailure } from '@temporalio/activity';
import { parseRoleBuildId, ROLE_BUILD_WORKFLOW_TYPE, workflowIdOf } from '../contract.ts';
import { isInstant, type Job } from '../domain/identity.ts';
import { hasInputShape, type RoleBuildInput } from '../domain/role-build-input.ts';
import { describeOwnWorkflow } from './own-workflow.ts';
import type {
  DirectoryActivities,
  EndOfHistory,
  EndOfRecord,
  OwnWorkflowActivities,
  RoleBuildActivities,
} from './types.ts';

/** Which build an activity call is about, according to its arguments. */
interface About {
  account_id?: string;
  resource?: string;
  job?: Job | undefined;
}

type Activities = RoleBuildActivities & DirectoryActivities & OwnWorkflowActivities;

/** How far apart the clocks of Temporal's hosts may be. */
const CLOCKS_APART_MS = 60_000;

// The activity itself refuses a malformed input and says what is wrong with it.
const ofInput = (input: RoleBuildInput, job: Job): About | undefined =>
  hasInputShape(input)
    ? { account_id: input.build_body.account_id, resource: input.ddb_composite_sort_key, job }
    : undefined;
const ofRecord = ({ account_id, resource, job }: EndOfRecord): About => ({ account_id, resource, job });
const ofHistory = ({ request, job }: EndOfHistory): About => ({ ...request, job });

const ABOUT: { readonly [N in keyof Activities]: (...args: Parameters<Activities[N]>) => About | undefined } = {
  upsertRequestRecord: ofInput,
  insertRequestHistory: (request, job) => ({ ...request, job }),
  triggerBuild: (_target, { account_id }) => ({ account_id }),
  getBuildStatus: () => ({}),
  checkDirectoryGroup: ({ account_id }) => ({ account_id }),
  ensureDirectoryGroup: ({ account_id }) => ({ account_id }),
  updateSuccessfulRecord: ofRecord,
  updateSuccessfulHistory: ofHistory,
  updateFailedRecord: ofRecord,
  updateFailedHistory: ofHistory,
  updateCancelledRecord: ofRecord,
  updateCancelledHistory: ofHistory,
  checkCarriedInput: ofInput,
  requestOwnCancellation: () => ({}),
};

/**
 * Restricts activities to `roleBuild` workflows, each to its own build. Otherwise any client could write a record by
 * having a worker run an activity from a workflow of another type, or a standalone activity.
 *
 * For other callers they throw an `ApplicationFailure` of the type `InvalidInput`.
 */
export function forBuildsAlone<T extends Partial<Activities>>(activities: T): T {
  const guarded = Object.entries(activities).map(([name, activity]) => [
    name,
    async (...args: unknown[]) => {
      const about = (ABOUT[name as keyof Activities] as (...given: unknown[]) => About | undefined)(...args);
      if (about !== undefined && !(await isAboutCaller(about))) {
        throw ApplicationFailure.nonRetryable(
          `${name} is for the workflow of the build that it is about`,
          'InvalidInput',
        );
      }
      return (activity as (...given: unknown[]) => unknown)(...args);
    },
  ]);
  return Object.fromEntries(guarded) as T;
}

async function isAboutCaller(about: About): Promise<boolean> {
  const { account_id, resource, job } = about;
  const { workflowType, workflowExecution, scheduledTimestampMs } = activityInfo();
  const key = parseRoleBuildId(workflowExecution?.workflowId ?? '');
  if (workflowType !== ROLE_BUILD_WORKFLOW_TYPE || workflowExecution === undefined) return false;
  const [account, name] = [account_id ?? key?.account_id, resource ?? key?.resource];
  if (account === undefined || name === undefined) return false;
  if (workflowIdOf(account, name) !== workflowExecution.workflowId) return false;
  if (!('job' in about)) return true;
  const isPast = Date.parse(job?.start_at ?? '') <= scheduledTimestampMs + CLOCKS_APART_MS;
  if (!isPast || !isInstant(job?.start_at)) return false;
  if (job?.job_id === workflowExecution.runId) return true;
  // Later runs of a workflow, and runs after a reset, have the first run's ID as their job ID.
  return (await describeOwnWorkflow()).workflowExecutionInfo?.firstRunId === job?.job_id;
}
