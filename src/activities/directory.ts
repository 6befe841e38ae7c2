import { activityInfo, ApplicationFailure, CancelledFailure, getClient, heartbeat } from '@temporalio/activity';
import type { Directory } from '../directory/directory.ts';
import { isDirectoryServer, type DirectoryServer } from '../domain/directory-group.ts';
import { describeOwnWorkflow } from './own-workflow.ts';
import type { DirectoryActivities } from './types.ts';

const HEARTBEAT_EVERY_MS = 4_000;

export function createDirectoryActivities(directory: Directory): DirectoryActivities {
  return {
    checkDirectoryGroup: (request) => directory.check(request),
    async ensureDirectoryGroup(request) {
      let sent_to = [activityInfo().heartbeatDetails as unknown, request.sent_to].find(isDirectoryServer);
      const beating = setInterval(() => heartbeat(sent_to), HEARTBEAT_EVERY_MS);
      try {
        return await directory.ensure({ ...request, sent_to }, (server) => announceAdd((sent_to = server)));
      } finally {
        clearInterval(beating);
      }
    },
  };
}

/**
 * Notes the server in Temporal before the add is sent. `heartbeat` alone is not enough, because the SDK sends it at
 * some later time. The workflow does not cancel this activity, since that would end it between two attempts and lose
 * what the first one noted. So the activity itself looks for a cancellation.
 */
async function announceAdd(server: DirectoryServer): Promise<void> {
  heartbeat(server);
  try {
    await getClient().activity.heartbeat(activityInfo().taskToken, server);
    const { workflowExtendedInfo } = await describeOwnWorkflow();
    if (workflowExtendedInfo?.cancelRequested === true) throw new CancelledFailure('cancelled before the add');
  } catch (err) {
    throw err instanceof CancelledFailure ? err : ApplicationFailure.fromError(err);
  }
}
