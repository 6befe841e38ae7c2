/** The plain version to compare `roleBuild` with: the same steps as ordinary activities, as in Temporal's tutorials. */
import { proxyActivities, sleep, workflowInfo } from '@temporalio/workflow';
import type { RoleBuildActivities } from '../../../src/activities/types.ts';
import { historyRequestOf, type RoleBuildInput } from '../../../src/domain/role-build-input.ts';

const activities = proxyActivities<RoleBuildActivities>({
  startToCloseTimeout: '65 seconds',
  retry: { initialInterval: '3 seconds', backoffCoefficient: 2, maximumAttempts: 3 },
});

export async function plainRoleBuild(input: RoleBuildInput): Promise<string> {
  const { firstExecutionRunId, startTime } = workflowInfo();
  const job = { job_id: firstExecutionRunId, start_at: startTime.toISOString() };
  const request = historyRequestOf(input);
  await activities.upsertRequestRecord(input, job);
  await activities.insertRequestHistory(request, job);
  const { build_id } = await activities.triggerBuild(input, input.build_body);
  for (;;) {
    await sleep((input.poll_interval_seconds ?? 60) * 1000);
    const answer = await activities.getBuildStatus(input, build_id);
    if (!answer.can_retry) break;
  }
  await activities.updateSuccessfulRecord({
    account_id: request.account_id,
    resource: request.resource,
    job,
    build_id,
  });
  await activities.updateSuccessfulHistory({ request, job, build_id, may_create: true });
  return 'COMPLETE';
}
