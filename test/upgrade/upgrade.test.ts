import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { workflowIdOf } from '../../src/contract.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { ACCOUNT, inputFor, letSucceed, startTestStack, until, type TestStack } from '../support/stack.ts';
import { changedWorker, type ChangedWorker } from './changed-worker.ts';
import { exitsWith } from '../support/exits-with.ts';

/** The change is a pause before the POST: once guarded as CONTRIBUTING.md says, and once unguarded. */
const BEFORE_THE_POST = "showStep(progress, 'TriggerBuild');";
const IMPORTS = '  upsertMemo,\n';
const PAUSE = "await pause(1000, { summary: 'pause before the POST' });";
const GUARDED = `if (isPatched('pause-before-the-post')) ${PAUSE}`;

let stack: TestStack;
let connection: Connection;
const versions: ChangedWorker[] = [];
const versionWith = async (statement: string): Promise<ChangedWorker> => {
  const version = await changedWorker([
    [IMPORTS, `${IMPORTS}  patched as isPatched,\n  sleep as pause,\n`],
    [BEFORE_THE_POST, `${statement}\n      ${BEFORE_THE_POST}`],
  ]);
  versions.push(version);
  return version;
};

before(async () => {
  stack = await startTestStack();
  connection = await Connection.connect({ address: stack.temporal.address });
});
after(async () => {
  await connection.close();
  await stack.stop();
  await Promise.all(versions.map((version) => version.remove()));
});

const historyOf = (input: RoleBuildInput) =>
  new Client({ connection, namespace: stack.temporal.namespace }).workflow
    .getHandle(workflowIdOf(ACCOUNT, input.ddb_composite_sort_key))
    .fetchHistory();
const pauses = async (input: RoleBuildInput) =>
  (await historyOf(input)).events?.filter(({ userMetadata }) =>
    Buffer.from(userMetadata?.summary?.data ?? '')
      .toString()
      .includes('pause before the POST'),
  ).length;

it('a new worker, whose workflow was changed under `patched`, ends a build that an old worker started', async () => {
  const [unguarded, guarded] = await Promise.all([versionWith(PAUSE), versionWith(GUARDED)]);
  const old = await stack.startWorker();
  const input = inputFor(stack, 'in-flight', { outcome: 'NEVER' }, { poll_interval_seconds: 3 });
  const ended = stack.build(input);
  await until('the old worker has polled once', () => stack.buildApi.requests(input.correlation_id).length >= 2);
  await old.stop();
  assert.equal(await old.exited, 0);

  // The unguarded code contradicts the history: the workflow task is retried, and the build loses nothing.
  const wrong = await stack.startWorker({ program: unguarded.program });
  await until('the unguarded change is noticed', () => /non-?determinis/i.test(wrong.output()));
  await wrong.stop();
  assert.equal((await stack.records(input)).status?.['status']?.S, 'IN_PROGRESS');

  letSucceed(stack, input);
  await stack.startWorker({ program: guarded.program });
  const { code, json, stderr } = await ended;
  assert.equal(code, 0, stderr);
  assert.equal(json['status'], 'COMPLETE');
  const [first, ...others] = stack.buildApi.requests(input.correlation_id).map(({ method }) => method);
  assert.equal(first, 'POST');
  assert.ok(others.length >= 2 && others.every((method) => method === 'GET'), others.join());
  const { status, history } = await stack.records(input);
  for (const record of [status, history]) assert.equal(record?.['status']?.S, 'COMPLETE');
  assert.equal(await pauses(input), 0);

  const next = inputFor(stack, 'after', { polls: 0 });
  await exitsWith(0, stack.build(next));
  assert.equal(await pauses(next), 1);
});
