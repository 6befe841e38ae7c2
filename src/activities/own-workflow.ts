import { activityInfo, getClient } from '@temporalio/activity';
import type { OwnWorkflowActivities } from './types.ts';

/** The activity that a workflow needs to deal with itself. */
export function createOwnWorkflowActivities(): OwnWorkflowActivities {
  return {
    async requestOwnCancellation() {
      const { workflowId, runId } = activityInfo().workflowExecution ?? {};
      if (workflowId === undefined) throw new Error('only a workflow can call this');
      await getClient().workflow.getHandle(workflowId, runId).cancel();
    },
  };
}
