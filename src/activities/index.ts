import { activityInfo } from '@temporalio/activity';
import type { BuildApi } from '../build-api/client.ts';
import type { RecordTables } from '../records/items.ts';
import { createBuildApiActivities, type PollOptions } from './build-api.ts';
import { createInputActivities } from './input.ts';
import { createRecordActivities } from './records.ts';
import { requestOwnCancellation, whoCancelled } from './own-workflow.ts';
import type { OwnWorkflowActivities, RoleBuildActivities } from './types.ts';

export interface ActivityDependencies extends PollOptions {
  tables: RecordTables;
  buildApi: BuildApi;
  allowedOrigins: readonly string[];
}

export function createActivities(deps: ActivityDependencies): RoleBuildActivities & OwnWorkflowActivities {
  return {
    ...createRecordActivities(deps.tables, deps.allowedOrigins, whoCancelled, () => activityInfo().attempt),
    ...createBuildApiActivities(deps.buildApi, deps),
    ...createInputActivities(deps.tables, deps.allowedOrigins),
    requestOwnCancellation,
  };
}
