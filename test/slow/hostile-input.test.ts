/** Random hostile inputs, through the real command line and, around its checks, to a real worker. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { Client, Connection, isGrpcServiceError } from '@temporalio/client';
import { DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import * as fc from 'fast-check';
import { DEFAULT_TASK_QUEUE, ROLE_BUILD_WORKFLOW_TYPE } from '../../src/contract.ts';
import { workflowIdOf, WORKFLOW_ID_MAX_BYTES } from '../../src/domain/identity.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { inputFaults } from '../../src/domain/validate-input.ts';
import { STATUS_TABLE_NAME } from '../../src/records/names.ts';
import { faultyInputs, hostileInput, isJson, oversizedInputs, SEED } from '../support/hostile-inputs.ts';
import { inputFor, startTestStack, type TestStack } from '../support/stack.ts';

const SOME = 14;
const CONTROL = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u;
/** Temporal's limit for one payload. A larger one reaches no worker. */
const PAYLOAD_MAX_BYTES = 2 * 1024 * 1024;

describe('a hostile input', () => {
  let stack: TestStack;
  let connection: Connection;
  let client: Client;
  let workerPid: number;
  let workerHasExited: () => boolean;

  before(async () => {
    stack = await startTestStack();
    const worker = await stack.startWorker();
    workerPid = worker.pid;
    workerHasExited = worker.hasExited;
    connection = await Connection.connect({ address: stack.temporal.address });
    client = new Client({ namespace: stack.temporal.namespace, connection });
  });
  after(async () => {
    await connection.close();
    await stack.stop();
  });

  const generated = fc
    .sample(hostileInput, { numRuns: 40 * SOME, seed: SEED })
    .filter((text) => !isJson(text) || inputFaults(JSON.parse(text)).length > 0)
    .map((text, i) => ({ name: `generated ${i}`, text }));

  /** Starts a build as any Temporal client can. @returns the workflow's failure */
  async function failureOf(text: string): Promise<{ type: string; message: string }> {
    const workflowId = workflowIdFor(text);
    await client.workflowService.startWorkflowExecution({
      namespace: stack.temporal.namespace,
      requestId: randomUUID(),
      workflowId,
      workflowType: { name: ROLE_BUILD_WORKFLOW_TYPE },
      taskQueue: { name: DEFAULT_TASK_QUEUE },
      input: { payloads: [{ metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(text) }] },
    });
    return client.workflow
      .getHandle(workflowId)
      .result()
      .then(
        () => assert.fail(`was taken: ${text.slice(0, 200)}`),
        ({ cause }: { cause: { type: string; message: string } }) => cause,
      );
  }

  /** The right workflow ID, if the text says enough to know it. */
  function workflowIdFor(text: string): string {
    const { build_body: body, ddb_composite_sort_key: resource } = (JSON.parse(text) ?? {}) as Partial<RoleBuildInput>;
    const id = workflowIdOf(body?.account_id ?? '', resource ?? '');
    const isUsable = typeof body?.account_id === 'string' && typeof resource === 'string' && id.isWellFormed();
    return isUsable && Buffer.byteLength(id) <= WORKFLOW_ID_MAX_BYTES ? id : `hostile-${randomUUID()}`;
  }

  async function assertNothingWritten(): Promise<void> {
    assert.deepEqual(
      stack.proxy.calls.filter(({ operation }) => /^(Put|Update)Item$/.test(operation)),
      [],
    );
    const direct = new DynamoDBClient({
      region: 'us-east-1',
      endpoint: stack.dynamoDb.endpoint,
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    });
    const { Count } = await direct.send(new ScanCommand({ TableName: STATUS_TABLE_NAME }));
    direct.destroy();
    assert.equal(Count, 0);
    assert.equal(stack.buildApi.requests().length, 0);
  }

  it(`a hostile input is refused by the command line with exit code 2, in text that a terminal can show (seed ${SEED})`, async () => {
    const inputs = [...generated.slice(0, SOME), ...oversizedInputs().slice(0, 2), ...faultyInputs()];
    for (let i = 0; i < inputs.length; i += 4) {
      await Promise.all(
        inputs.slice(i, i + 4).map(async ({ name, text }, n) => {
          const json = n % 2 === 0;
          const { code, stdout, stderr } = await stack.cli(['start', '--input', '-', ...(json ? ['--json'] : [])], {
            stdin: text,
          });
          assert.equal(code, 2, `${name}: ${stderr.slice(0, 500)}`);
          assert.match(stderr, /^role-build: (the input is not valid:\n|stdin is not JSON)/);
          assert.ok(!CONTROL.test(`${stdout}${stderr}`.replaceAll('\n', '')), name);
          assert.doesNotMatch(stderr, /^\s+at \S/m);
          if (json) assert.equal((JSON.parse(stdout) as { error: string }).error, 'usage');
        }),
      );
    }
    await assertNothingWritten();
  });

  it('a hostile input is refused by the worker as InvalidInput, with nothing written or sent, and the worker goes on', async () => {
    const small = [...generated.filter(({ text }) => isJson(text)).slice(0, 2 * SOME), ...faultyInputs()];
    for (const { name, text } of [
      ...small,
      ...oversizedInputs().filter((one) => one.text.length < PAYLOAD_MAX_BYTES),
    ]) {
      const { type, message } = await failureOf(text);
      assert.equal(type, 'InvalidInput', name);
      assert.match(message, /^the input was refused: /);
      assert.ok(message.length < 64 * 1024);
    }
    await assertNothingWritten();
    assert.equal(workerHasExited(), false);
    const { code, stderr } = await stack.build(inputFor(stack, 'ordinary', { polls: 0 }));
    assert.equal(code, 0, stderr);
    assert.equal(process.kill(workerPid, 0), true);
  });

  it('a hostile input above the limit of a payload is refused by Temporal and reaches no worker', async () => {
    const text = JSON.stringify('x'.repeat(PAYLOAD_MAX_BYTES));
    await assert.rejects(failureOf(text), (err) => isGrpcServiceError(err) && /size/i.test(err.details));
  });
});
