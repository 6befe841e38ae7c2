/**
 * The job written as in DBOS Transact's programming guide: a function that runs steps with `DBOS.runStep`, waits with
 * `DBOS.sleep`, and is started by an HTTP request. https://docs.dbos.dev/typescript/programming-guide
 */
import { DBOS } from '@dbos-inc/dbos-sdk';
import { checkBuildStatus } from '../../../src/domain/build-status.ts';
import { DEFAULT_POLL_INTERVAL_SECONDS, type RoleBuildInput } from '../../../src/domain/role-build-input.ts';
import { openHttpDoor } from '../http-door.ts';
import * as job from '../job.ts';

const retried = {
  retriesAllowed: true,
  maxAttempts: job.RETRY.attempts,
  intervalSeconds: job.RETRY.firstSeconds,
  backoffRate: job.RETRY.backoffRate,
  shouldRetry: job.isRetryable,
};

async function roleBuild(input: RoleBuildInput): Promise<string> {
  const own = { job_id: DBOS.workflowID ?? '', start_at: new Date(await DBOS.now()).toISOString() };
  await DBOS.runStep(() => job.upsertRequestRecord(input, own), { name: 'upsertRequestRecord', ...retried });
  await DBOS.runStep(() => job.insertRequestHistory(input, own), { name: 'insertRequestHistory', ...retried });
  const { build_id } = await DBOS.runStep(() => job.triggerBuild(input), { name: 'triggerBuild', ...retried });
  for (;;) {
    await DBOS.sleep((input.poll_interval_seconds ?? DEFAULT_POLL_INTERVAL_SECONDS) * 1000);
    const answer = await DBOS.runStep(() => job.getBuildStatus(input, build_id), {
      name: 'getBuildStatus',
      ...retried,
    });
    if (checkBuildStatus(answer) !== 'undecided') break;
  }
  await DBOS.runStep(() => job.updateSuccessfulRecord(input, own, build_id), {
    name: 'updateSuccessfulRecord',
    ...retried,
  });
  await DBOS.runStep(() => job.updateSuccessfulHistory(input, own, build_id), {
    name: 'updateSuccessfulHistory',
    ...retried,
  });
  return 'COMPLETE';
}

const workflow = DBOS.registerWorkflow(roleBuild, { name: 'roleBuild' });

const systemDatabaseUrl = process.env['DBOS_SYSTEM_DATABASE_URL'];
if (systemDatabaseUrl === undefined) throw new Error('DBOS_SYSTEM_DATABASE_URL is not set');
DBOS.setConfig({ name: 'role-builds', systemDatabaseUrl, applicationVersion: '1', logLevel: 'warn' });
await DBOS.launch();
await openHttpDoor(
  async (input) => {
    await DBOS.startWorkflow(workflow, { workflowID: input.correlation_id })(input);
  },
  async () => {
    const running = await DBOS.listWorkflows({ status: 'PENDING' });
    await DBOS.cancelWorkflows(running.map(({ workflowID }) => workflowID));
  },
);
process.once('SIGTERM', () => process.exit());
