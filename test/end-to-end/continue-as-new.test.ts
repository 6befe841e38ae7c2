import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { ACCOUNT, inputFor, parseJson, startTestStack, until, type TestStack } from '../support/stack.ts';

describe('a build whose history grows long', { concurrency: 4 }, () => {
  let stack: TestStack;
  let connection: Connection;

  before(async () => {
    stack = await startTestStack({
      temporal: { dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': 40 } },
    });
    await stack.startWorker();
    connection = await Connection.connect({ address: stack.temporal.address });
  });
  after(async () => {
    await connection.close();
    await stack.stop();
  });

  it('a build whose history grows long continues as new with the same job, start, build and poll count, is triggered once, and is followed to its end', async () => {
    const input = inputFor(stack, 'long', { polls: 12 });
    const { code, json, stderr } = await stack.build(input);
    assert.equal(code, 0, stderr);
    assert.equal(json['status'], 'COMPLETE');
    assert.equal(json['polls'], 13);
    const requests = stack.buildApi.requests(input.correlation_id);
    assert.equal(requests.filter(({ method }) => method === 'POST').length, 1);
    assert.equal(requests.filter(({ method }) => method === 'GET').length, 13);
    const { status, history } = await stack.records(input);
    for (const record of [status, history]) {
      assert.equal(record?.['status']?.S, 'COMPLETE');
      assert.equal(record?.['job_id']?.S, json['job_id']);
      assert.equal(record?.['start_at']?.S, json['start_at']);
      assert.equal(record?.['build_id']?.S, json['build_id']);
    }
    const last = parseJson(await stack.cli(['status', ACCOUNT, 'iam_role#long', '--json']));
    assert.equal(last['polls'], 13);
    const byJob = parseJson(await stack.cli(['status', '--job-id', json['job_id'] as string, '--json']));
    assert.equal(byJob['status'], 'COMPLETE');
  });

  it('a build whose history grows long can be cancelled in a later run, and its record says who asked for it', async () => {
    const input = inputFor(stack, 'long-updates', { outcome: 'NEVER' });
    let refusals = 3;
    stack.proxy.decide = ({ operation, request }) =>
      operation === 'UpdateItem' && JSON.stringify(request).includes('#long-updates') && refusals-- > 0
        ? 'throttle'
        : undefined;
    const started = await stack.cli(['start', '--input', '-', '--json'], { stdin: JSON.stringify(input) });
    assert.equal(started.code, 0, started.stderr);
    const { job_id } = parseJson(started);
    await until('its run is nearly full', () => stack.buildApi.requests(input.correlation_id).length >= 5);
    const { code, stderr } = await stack.cli(['cancel', '--job-id', String(job_id), '--wait', '--json']);
    assert.equal(code, 0, stderr);
    const client = new Client({ connection, namespace: stack.temporal.namespace });
    const workflowId = `role-build:${ACCOUNT}:iam_role#long-updates`;
    const { runId, status } = await client.workflow.getHandle(workflowId).describe();
    assert.equal(status.name, 'CANCELLED');
    assert.notEqual(runId, job_id, 'it continued as new');
    const { status: record, history } = await stack.records(input);
    for (const one of [record, history]) {
      assert.equal(one?.['status']?.S, 'CANCELLED');
      assert.equal(one?.['job_id']?.S, job_id);
    }
    assert.match(history?.['cancelled_by']?.S ?? '', /@/);
  });
});
