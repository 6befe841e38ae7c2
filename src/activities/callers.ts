import { activityInfo, ApplicationFailure, getClient } from '@temporalio/activity';
import { parseRoleBuildId, ROLE_BUILD_WORKFLOW_TYPE, workflowIdOf } from '../contract.ts';
import type { Job } from '../domain/identity.ts';
import { hasInputShape, type RoleBuildInput } from '../domain/role-build-input.ts';
import type { EndOfHistory, EndOfRecord, OwnWorkflowActivities, RoleBuildActivities } from './types.ts';

/** What an activity is told that its caller must be. */
interface Told {
  account_id?: string;
  resource?: string;
  job?: Job | undefined;
}

type Activities = RoleBuildActivities & OwnWorkflowActivities;

/** Temporal's hosts may differ by so much about the time. */
const CLOCKS_APART_MS = 60_000;

// The activity itself refuses what is no input, and says what is wrong with it.
const ofInput = (input: RoleBuildInput, job: Job): Told | undefined =>
  hasInputShape(input)
    ? { account_id: input.build_body.account_id, resource: input.ddb_composite_sort_key, job }
    : undefined;
const ofRecord = ({ account_id, resource, job }: EndOfRecord): Told => ({ account_id, resource, job });
const ofHistory = ({ request, job }: EndOfHistory): Told => ({ ...request, job });

const TOLD: { readonly [N in keyof Activities]: (...args: Parameters<Activities[N]>) => Told | undefined } = {
  upsertRequestRecord: ofInput,
  insertRequestHistory: (request, job) => ({ ...request, job }),
  triggerBuild: (_target, { account_id }) => ({ account_id }),
  getBuildStatus: () => ({}),
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
 * The activities for the workflow `roleBuild` alone, each about its own build: any client can hand a worker an activity, out of
 * a workflow of another type or as one that stands alone, and would write a record by it.
 *
 * They throw an `ApplicationFailure`, `InvalidInput`, for whoever else calls them.
 */
export function forBuildsAlone(activities: Activities): Activities {
  const guarded = Object.entries(activities).map(([name, activity]) => [
    name,
    async (...args: unknown[]) => {
      const told = (TOLD[name as keyof Activities] as (...given: unknown[]) => Told | undefined)(...args);
      if (told !== undefined && !(await isAboutCaller(told))) {
        throw ApplicationFailure.nonRetryable(
          `${name} is for the workflow of the build that it is about`,
          'InvalidInput',
        );
      }
      return (activity as (...given: unknown[]) => unknown)(...args);
    },
  ]);
  return Object.fromEntries(guarded) as Activities;
}

async function isAboutCaller(told: Told): Promise<boolean> {
  const { account_id, resource, job } = told;
  const { workflowType, workflowExecution, scheduledTimestampMs } = activityInfo();
  const key = parseRoleBuildId(workflowExecution?.workflowId ?? '');
  if (workflowType !== ROLE_BUILD_WORKFLOW_TYPE || workflowExecution === undefined) return false;
  const [account, name] = [account_id ?? key?.accountId, resource ?? key?.resource];
  if (account === undefined || name === undefined) return false;
  if (workflowIdOf(account, name) !== workflowExecution.workflowId) return false;
  if (!('job' in told)) return true;
  const isPast = Date.parse(job?.start_at ?? '') <= scheduledTimestampMs + CLOCKS_APART_MS;
  return isPast && isOwnJob(job?.job_id, workflowExecution);
}

/** Runs after the first one, and those of a reset, have the first one's ID as their job's. */
async function isOwnJob(jobId: string | undefined, execution: { workflowId: string; runId: string }): Promise<boolean> {
  if (jobId === execution.runId) return true;
  const { workflowService, options } = getClient();
  const { workflowExecutionInfo } = await workflowService.describeWorkflowExecution({
    namespace: options.namespace,
    execution,
  });
  return workflowExecutionInfo?.firstRunId === jobId;
}
