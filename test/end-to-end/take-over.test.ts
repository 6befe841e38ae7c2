import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { Client, Connection } from '@temporalio/client';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { HISTORY_TABLE_NAME, STATUS_TABLE_NAME } from '../../src/records/names.ts';
import { startRoleBuild } from '../../src/start-role-build.ts';
import { ACCOUNT, inputFor, parseJson, startTestStack, type RawItem, type TestStack } from './harness.ts';

const EXECUTION = 'arn:aws:states:eu-west-1:123456789012:execution:iam-orchestrator:e-1';

describe('a record that is IN_PROGRESS under Step Functions', { concurrency: 6 }, () => {
  let stack: TestStack;
  let direct: DynamoDBClient;
  before(async () => {
    stack = await startTestStack();
    direct = new DynamoDBClient({
      region: 'us-east-1',
      endpoint: stack.dynamoDb.endpoint,
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    });
    await stack.startWorker();
  });
  after(async () => {
    direct.destroy();
    await stack.stop();
  });

  /** As the original's two puts leave them. */
  async function putOriginal(
    input: RoleBuildInput,
    request_id = input.correlation_id,
    state = 'IN_PROGRESS',
  ): Promise<void> {
    const common: RawItem = {
      account_id: { S: ACCOUNT },
      resource: { S: input.ddb_composite_sort_key },
      action: { S: 'create' },
      job_id: { S: EXECUTION },
      start_at: { S: '2025-01-09T15:25:00.123Z' },
      status: { S: state },
      trace_header: { S: 'Root=1' },
    };
    const status = { ...common, build_type: { S: 'iam_role' }, correlation_id: { S: request_id } };
    await direct.send(new PutItemCommand({ TableName: STATUS_TABLE_NAME, Item: status }));
    const history = { ...common, request_id: { S: request_id } };
    await direct.send(new PutItemCommand({ TableName: HISTORY_TABLE_NAME, Item: history }));
  }

  it('refuses a start, names the execution and starts nothing', async () => {
    const input = inputFor(stack, 'held', { polls: 0 });
    await putOriginal(input, 'request-of-the-original');
    const records = await stack.records(input);
    const { code, json, stderr } = await stack.build(input);
    assert.equal(code, 3);
    assert.equal(json['job_id'], EXECUTION);
    assert.match(stderr, /--take-over/);
    assert.deepEqual(await stack.records(input), records);
    assert.equal(stack.buildApi.requests(input.correlation_id).length, 0);
    const { code: unknown } = await stack.cli(['cancel', ACCOUNT, input.ddb_composite_sort_key]);
    assert.equal(unknown, 4);
  });

  it('is refused by the put itself, where another client starts the build: nothing is written or triggered', async () => {
    const input = inputFor(stack, 'held-put', { polls: 0 });
    await putOriginal(input, 'another-request-of-the-original');
    const records = await stack.records(input);
    const connection = await Connection.connect({ address: stack.temporal.address });
    const client = new Client({ connection });
    const { workflow_id: workflowId } = await startRoleBuild(client, input);
    await assert.rejects(client.workflow.getHandle(workflowId).result(), (err: Error) =>
      /HeldByStepFunctions/.test(JSON.stringify(err.cause)),
    );
    await connection.close();
    assert.deepEqual(await stack.records(input), records);
    assert.equal(stack.buildApi.requests(input.correlation_id).length, 0);
  });

  it('that ends between the put and the look at who holds the record is replaced by the next attempt', async () => {
    const input = inputFor(stack, 'held-no-more', { polls: 0 });
    await putOriginal(input, 'request-of-one-that-ends');
    stack.proxy.decide = async ({ operation, request }) => {
      if (operation === 'GetItem' && JSON.stringify(request).includes('#held-no-more"')) {
        stack.proxy.decide = () => undefined;
        await putOriginal(input, 'request-of-one-that-ends', 'COMPLETE');
      }
      return undefined;
    };
    const connection = await Connection.connect({ address: stack.temporal.address });
    const client = new Client({ connection });
    const { workflow_id: workflowId, job_id: jobId } = await startRoleBuild(client, input);
    await client.workflow.getHandle(workflowId).result();
    await connection.close();
    const { status, history } = await stack.records(input);
    for (const record of [status, history]) {
      assert.equal(record?.['status']?.S, 'COMPLETE');
      assert.equal(record?.['job_id']?.S, jobId);
    }
  });

  it('is refused by the put for the command line too, where it could not look: exit code 3', async () => {
    const input = inputFor(stack, 'held-blind', { polls: 0 });
    await putOriginal(input, 'a-third-request-of-the-original');
    const blind = { stdin: JSON.stringify(input), settings: { AWS_ENDPOINT_URL_DYNAMODB: 'http://127.0.0.1:9' } };
    const result = await stack.cli(['start', '--input', '-', '--wait', '--json'], blind);
    assert.equal(result.code, 3);
    assert.match(String(parseJson(result)['message']), /e-1/);
  });

  it('refuses where only the history of the request is left so', async () => {
    const input = inputFor(stack, 'held-history', { polls: 0 });
    const other = inputFor(stack, 'held-history-other', { polls: 0 });
    await putOriginal(other, input.correlation_id);
    const { code } = await stack.build(input);
    assert.equal(code, 3);
  });

  it('is replaced with --take-over', async () => {
    const input = inputFor(stack, 'taken-over', { polls: 0 });
    await putOriginal(input);
    const stdin = JSON.stringify(input);
    const result = await stack.cli(['start', '--input', '-', '--wait', '--json', '--take-over'], { stdin });
    assert.equal(result.code, 0);
    const { status, history } = await stack.records(input);
    for (const record of [status, history]) {
      assert.equal(record?.['status']?.S, 'COMPLETE');
      assert.equal(record?.['job_id']?.S, parseJson(result)['job_id']);
    }
  });
});
