import type { BuildApi } from '../build-api/client.ts';
import type { AllowedOrigins } from '../build-api/origins.ts';
import type { RecordTables } from '../records/write.ts';
import { createBuildApiActivities } from './build-api.ts';
import { createRecordActivities } from './records.ts';
import type { RoleBuildActivities } from './types.ts';

export interface ActivityDependencies {
  tables: RecordTables;
  buildApi: BuildApi;
  allowedOrigins: AllowedOrigins;
}

export function createActivities(deps: ActivityDependencies): RoleBuildActivities {
  return {
    ...createRecordActivities(deps.tables, deps.allowedOrigins),
    ...createBuildApiActivities(deps.buildApi),
  };
}
