/** A worker for the plain version, wired like `src/worker.ts`. */
import { fileURLToPath } from 'node:url';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection, Worker } from '@temporalio/worker';
import { createActivities } from '../../../src/activities/index.ts';
import { BuildApi } from '../../../src/build-api/client.ts';
import { readSettings, WORKER_SETTINGS } from '../../../src/config/settings.ts';
import { openRecordTables } from '../../../src/records/dynamodb.ts';

const settings = readSettings(process.env, WORKER_SETTINGS);
const allowedOrigins = settings.BUILD_API_ALLOWED_ORIGINS;
const worker = await Worker.create({
  connection: await NativeConnection.connect(loadClientConnectConfig().connectionOptions),
  taskQueue: settings.ROLE_BUILD_TASK_QUEUE,
  workflowsPath: fileURLToPath(new URL('./role-build.ts', import.meta.url)),
  activities: {
    ...createActivities({
      tables: openRecordTables({ statusTable: settings.STATUS_TABLE, historyTable: settings.HISTORY_TABLE }),
      buildApi: new BuildApi({ albFqdn: settings.API_ALB_FQDN, allowedOrigins, timeoutMs: 30_000 }),
      allowedOrigins,
    }),
  },
});
process.stdout.write('"state":"RUNNING"\n');
await worker.run();
