import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { before, describe, it } from 'node:test';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { defaultPayloadConverter } from '@temporalio/common';
import type { History } from '@temporalio/common/lib/proto-utils.js';
import { DeterminismViolationError, type WorkflowInfo } from '@temporalio/workflow';
import { Worker } from '@temporalio/worker';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { quietRuntime } from '../support/quiet-runtime.ts';
import { workflowBundle } from '../support/workflow-bundles.ts';

const FOLDER = fileURLToPath(new URL('./histories/', import.meta.url));

/** The shapes of builds that a change of the workflow code must not break. */
const SHAPES = [
  'success',
  'failed',
  'trigger-retried',
  'trigger-unknown',
  'poll-retried',
  'poll-retried-after-timers',
  'poll-unavailable',
  'upsert-failed',
  'upsert-failed-late-put',
  'insert-failed',
  'last-write-waited',
  'last-write-shown',
  'deadline-in-wait',
  'deadline-drops-poll',
  'cancelled-in-wait',
  'cancelled-in-poll',
  'cancelled-in-poll-backoff',
  'cancelled-in-trigger',
  'invalid-input',
  'contested',
  'refused-later',
  'continued-as-new',
  'resumed',
  'resumed-trigger-unknown',
  'resumed-continued-as-new',
  'resumed-cancelled',
  'directory-group',
  'directory-group-waited',
  'directory-group-continued',
];

function readHistory(file: string): { workflowId: string; history: History } {
  const history = historyFromJSON(JSON.parse(readFileSync(`${FOLDER}${file}`, 'utf8')));
  const workflowId = history.events?.[0]?.workflowExecutionStartedEventAttributes?.workflowId;
  assert.ok(workflowId, file);
  return { workflowId, history };
}

describe('committed histories', () => {
  it('committed histories exist for every shape of build, with both runs of a continued one', () => {
    const files = readdirSync(FOLDER);
    for (const shape of SHAPES) assert.ok(files.includes(`${shape}.1.json`), shape);
    for (const shape of ['continued-as-new', 'directory-group-continued']) assert.ok(files.includes(`${shape}.2.json`));
  });

  before(() => void quietRuntime());

  for (const { title, traced } of [
    { title: 'of a worker without traces', traced: false },
    { title: 'of a worker with traces', traced: true },
  ])
    it(`committed histories replay with the workflow code ${title}`, async () => {
      const bundle = await workflowBundle({ traced });
      const histories = readdirSync(FOLDER).map(readHistory);
      let replayed = 0;
      for await (const result of Worker.runReplayHistories({ workflowBundle: bundle }, histories)) {
        assert.equal(result.error, undefined, `${result.workflowId}: ${result.error?.message}`);
        replayed += 1;
      }
      assert.equal(replayed, histories.length);
    });
});

it('a build with a group waits for a worker that supports groups: an older one cannot continue it', async () => {
  const files = readdirSync(FOLDER).filter((file) => file.startsWith('directory-group'));
  assert.equal(files.length, 4);
  const histories = files.map((file) => {
    const { workflowId, history } = readHistory(file);
    const [input] = history.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
    assert.ok(input);
    // An older worker does not know the key.
    const { directory_group: asked, ...older } = defaultPayloadConverter.fromPayload<RoleBuildInput>(input);
    assert.equal(asked, true);
    Object.assign(input, defaultPayloadConverter.toPayload(older));
    return { workflowId, history };
  });
  const bundle = await workflowBundle({});
  for await (const { error } of Worker.runReplayHistories({ workflowBundle: bundle }, histories)) {
    assert.ok(error instanceof DeterminismViolationError, String(error));
  }
});

it("replay tells a deadline that cancelled a poll from a failure of the API, whatever the worker's clock said", async () => {
  const { workflowId, history } = readHistory('deadline-drops-poll.1.json');
  const [start] = history.events ?? [];
  const marker = history.events?.find((event) => event.markerRecordedEventAttributes)?.markerRecordedEventAttributes;
  const [note] = marker?.details?.['data']?.payloads ?? [];
  assert.ok(start?.eventTime && note);
  // A worker's clock may end the poll just before the deadline, which is 3 s after the start.
  const complete_time = { seconds: Number(start.eventTime.seconds) + 2, nanos: start.eventTime.nanos };
  const noted = defaultPayloadConverter.fromPayload<Record<string, unknown>>(note);
  Object.assign(note, defaultPayloadConverter.toPayload({ ...noted, complete_time }));
  const causes: unknown[] = [];
  const fn = (_info: WorkflowInfo, name: string, { cause }: Record<string, string>) => {
    if (name === 'role_build_ended') causes.push(cause);
  };
  const nothing = { fn: () => undefined };
  await Worker.runReplayHistory(
    {
      workflowBundle: await workflowBundle({}),
      sinks: { metrics: { count: { fn, callDuringReplay: true }, observe: nothing } },
    },
    history,
    workflowId,
  );
  assert.deepEqual(causes, ['BuildDeadlineExceeded']);
});
