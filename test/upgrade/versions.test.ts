/** Tests Worker Versioning on a real server: two versions of the real worker side by side, and the old one drained. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import type { FaultsRequest } from '../../dev/simulated-build-api/faults.ts';
import { workflowIdOf } from '../../src/contract.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { ACCOUNT, inputFor, startTestStack, until, type TestStack } from '../support/stack.ts';
import { runBuild } from '../faults/run-build.ts';
import { changedWorker, type ChangedWorker } from './changed-worker.ts';

/** `VERSION_DRAINAGE_STATUS_DRAINED` of Temporal's API. */
const VERSION_DRAINED = 2;
const DEPLOYMENT = 'role-build-workers';
/** Lets a version count as drained after a second of visibility's reports; the default is minutes. */
const QUICK_DRAINAGE = {
  'matching.wv.VersionDrainageStatusVisibilityGracePeriod': '1s',
  'matching.wv.VersionDrainageStatusRefreshInterval': '1s',
};

let stack: TestStack;
let connection: Connection;
let client: Client;
let changed: ChangedWorker;

before(async () => {
  stack = await startTestStack({ temporal: { uiPort: false, dynamicConfig: QUICK_DRAINAGE } });
  connection = await Connection.connect({ address: stack.temporal.address });
  client = new Client({ connection });
  // Without `patched`, so that one version can't replay a build that the other began.
  changed = await changedWorker([
    ['  upsertMemo,\n', '  upsertMemo,\n  sleep as pause,\n'],
    [
      "showStep(progress, 'TriggerBuild');",
      "await pause(500, { summary: 'pause before the POST' });\n    showStep(progress, 'TriggerBuild');",
    ],
  ]);
});
after(async () => {
  await connection.close();
  await stack.stop();
  await changed.remove();
});

const ofVersion = (buildId: string) => ({
  TEMPORAL_DEPLOYMENT_NAME: DEPLOYMENT,
  TEMPORAL_WORKER_BUILD_ID: buildId,
});

async function makeCurrent(buildId: string): Promise<void> {
  const set = () =>
    client.workflowService
      .setWorkerDeploymentCurrentVersion({ namespace: 'default', deploymentName: DEPLOYMENT, buildId })
      .then(
        () => true,
        () => false,
      );
  await until(`the server knows version ${buildId} and makes it current`, set);
}

async function isDrained(buildId: string): Promise<boolean> {
  const { workerDeploymentVersionInfo: info } = await client.workflowService.describeWorkerDeploymentVersion({
    namespace: 'default',
    deploymentVersion: { deploymentName: DEPLOYMENT, buildId },
  });
  return Number(info?.drainageInfo?.status) === VERSION_DRAINED;
}

async function putFaults(faults: FaultsRequest): Promise<void> {
  const answer = await fetch(`${stack.buildApiUrl}/_simulator/faults`, { method: 'PUT', body: JSON.stringify(faults) });
  assert.ok(answer.ok, await answer.text());
}

/** Returns the versions of a build's runs, in order. */
async function versionsOf(input: RoleBuildInput): Promise<(string | null | undefined)[]> {
  const workflowId = workflowIdOf(ACCOUNT, input.ddb_composite_sort_key);
  const found: { at: Date; version: string | null | undefined }[] = [];
  for await (const { runId } of client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) {
    const { startTime, raw } = await client.workflow.getHandle(workflowId, runId).describe();
    found.push({ at: startTime, version: raw.workflowExecutionInfo?.versioningInfo?.deploymentVersion?.buildId });
  }
  return found.toSorted((a, b) => a.at.getTime() - b.at.getTime()).map(({ version }) => version);
}

it('builds stay on their version, move when they continue as new, and the old version drains without losing a build', async () => {
  const old = await stack.startWorker({ settings: ofVersion('v1') });
  await makeCurrent('v1');
  const inputs = [
    ...Array.from({ length: 6 }, (_, i) => inputFor(stack, `polled-${i}`, { outcome: 'NEVER' })),
    ...Array.from({ length: 3 }, (_, i) =>
      inputFor(stack, `posted-${i}`, { outcome: 'NEVER', trigger: [{ delay_ms: 6_000 }] }),
    ),
  ];
  const ended = inputs.map((input) => runBuild(client, input));
  const requests = (input: RoleBuildInput) => stack.buildApi.requests(input.correlation_id);
  await until('each has been asked for', () => inputs.every((input) => requests(input).length > 0));

  const next = await stack.startWorker({ program: changed.program, settings: ofVersion('v2') });
  await until('the first polls are made beside the new version', () =>
    inputs.slice(0, 6).every((input) => requests(input).length > 2),
  );
  for (const input of inputs)
    assert.deepEqual(await versionsOf(input), ['v1'], 'not moved by a version that is not current');

  await makeCurrent('v2');
  const fresh = inputFor(stack, 'fresh', { polls: 1 });
  const freshEnded = runBuild(client, fresh);
  await until('the old version is drained', () => isDrained('v1'));
  process.kill(old.pid, 'SIGTERM');
  assert.equal(await old.exited, 0);
  const decided = { body: { build_status: 'SUCCEEDED', can_retry: false } };
  for (const { correlation_id } of inputs) await putFaults({ status: [decided], correlation_id });

  for (const [i, outcome] of (await Promise.all([...ended, freshEnded])).entries()) {
    const input = inputs[i] ?? fresh;
    assert.equal(outcome['status'], 'COMPLETE', input.correlation_id);
    assert.equal(requests(input).filter(({ method }) => method === 'POST').length, 1, 'asked for once');
    assert.equal((await stack.records(input)).history?.['status']?.S, 'COMPLETE');
    assert.deepEqual(await versionsOf(input), input === fresh ? ['v2'] : ['v1', 'v2'], input.correlation_id);
  }
  assert.ok(!next.output().includes('Nondeterminism'));
  await next.stop();
});
