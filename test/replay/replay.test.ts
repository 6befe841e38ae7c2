import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { before, describe, it } from 'node:test';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker } from '@temporalio/worker';

const FOLDER = fileURLToPath(new URL('./histories/', import.meta.url));

/** Each shape of build that a change of the workflow code must not leave stranded. */
const SHAPES = [
  'success',
  'failed',
  'trigger-retried',
  'trigger-unknown',
  'poll-retried',
  'poll-unavailable',
  'upsert-failed',
  'upsert-failed-late-put',
  'insert-failed',
  'last-write-waited',
  'last-write-shown',
  'deadline-in-wait',
  'cancelled-in-wait',
  'cancelled-in-poll',
  'cancelled-in-trigger',
  'invalid-input',
  'contested',
  'refused-later',
  'continued-as-new',
  'resumed',
  'resumed-trigger-unknown',
  'resumed-continued-as-new',
  'resumed-cancelled',
];

describe('committed histories', () => {
  it('are there for every shape of build, both runs of a continued one included', () => {
    const files = readdirSync(FOLDER);
    for (const shape of SHAPES) assert.ok(files.includes(`${shape}.1.json`), shape);
    assert.ok(files.includes('continued-as-new.2.json'));
  });

  const logger = new DefaultLogger('ERROR', () => undefined);
  before(() => Runtime.install({ logger }));
  const source = (name: string) => fileURLToPath(new URL(`../../src/workflows/${name}`, import.meta.url));

  for (const { title, workflowInterceptorModules } of [
    { title: 'as it is now', workflowInterceptorModules: [] },
    { title: 'as a worker with traces has it', workflowInterceptorModules: [source('traces.ts')] },
  ])
    it(`replay with the workflow code ${title}`, async () => {
      const workflowsPath = source('index.ts');
      const workflowBundle = await bundleWorkflowCode({ logger, workflowsPath, workflowInterceptorModules });
      const histories = readdirSync(FOLDER).map((file) => {
        const history = historyFromJSON(JSON.parse(readFileSync(`${FOLDER}${file}`, 'utf8')));
        const workflowId = history.events?.[0]?.workflowExecutionStartedEventAttributes?.workflowId;
        assert.ok(workflowId, file);
        return { workflowId, history };
      });
      let replayed = 0;
      for await (const result of Worker.runReplayHistories({ workflowBundle }, histories)) {
        assert.equal(result.error, undefined, `${result.workflowId}: ${result.error?.message}`);
        replayed += 1;
      }
      assert.equal(replayed, histories.length);
    });
});
