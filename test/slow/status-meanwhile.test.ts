/** `status` reads Temporal first and the records after that. A build may move on in between. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { viewBuild } from '../../src/cli/build/view.ts';
import { openServices, type Services } from '../../src/cli/services.ts';
import { workflowIdOf } from '../../src/contract.ts';
import { STATUS_TABLE_NAME } from '../../src/records/names.ts';
import { setEnvironment } from '../support/environment.ts';
import { FORGETS_AT_ONCE } from '../support/shared-temporal.ts';
import { ACCOUNT, inputFor, startTestStack, until, type TestStack } from '../support/stack.ts';

describe('a build that moves on while status reads it', () => {
  let stack: TestStack;
  let connection: Connection;
  let client: Client;

  before(async () => {
    const dynamicConfig = { 'limit.historyCount.suggestContinueAsNew': 40, ...FORGETS_AT_ONCE };
    stack = await startTestStack({ temporal: { dynamicConfig } });
    await stack.startWorker();
    connection = await Connection.connect({ address: stack.temporal.address });
    client = new Client({ connection, namespace: stack.temporal.namespace });
  });
  after(async () => {
    await connection.close();
    await stack.stop();
  });

  const executionOf = (name: string) => client.workflow.getHandle(workflowIdOf(ACCOUNT, `iam_role#${name}`));
  const start = (name: string, correlation_id = `request-${name}`) => {
    const input = inputFor(stack, name, { outcome: 'NEVER' }, { correlation_id });
    return stack.cli(['start', '--input', '-', '--json'], { stdin: JSON.stringify(input) });
  };

  /** Returns the status of a build after `happen` ran just before the first read of its record. */
  async function statusWhere(name: string, happen: () => Promise<void>) {
    let happened: Promise<void> | undefined;
    stack.proxy.decide = async ({ operation, request }) => {
      const isIt = operation === 'GetItem' && request.TableName === STATUS_TABLE_NAME;
      // `happen` reads the record too.
      if (isIt && happened === undefined) await (happened = happen());
      return undefined;
    };
    const { code, stdout, stderr } = await stack.cli(['status', ACCOUNT, `iam_role#${name}`, '--json']);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  it('a build that continues as new while status reads it is in progress', async (t) => {
    await start('continues');
    const { workflowId, runId } = await executionOf('continues').describe();
    t.after(setEnvironment(stack.settings));
    const services = await openServices(process.env, () => {}, new AbortController().signal);
    t.after(() => services.close());
    const slow: Services = {
      ...services,
      temporal: async (call) => {
        const answer = await services.temporal(call);
        await until('it has continued', async () => (await executionOf('continues').describe()).runId !== runId);
        return answer;
      },
    };
    const view = await viewBuild(slow, { name: workflowId, workflowId });
    assert.deepEqual([view.status, view.execution_status], ['IN_PROGRESS', 'RUNNING']);
    assert.equal(view.next_command, `role-build watch ${ACCOUNT} 'iam_role#continues'`);
    await executionOf('continues').cancel();
  });

  for (const [name, held] of [
    ['first', 'no build'],
    ['next', 'one that has ended'],
  ] as const) {
    it(`a build that starts after ${held} while status reads it is in progress`, async () => {
      if (name === 'next') await stack.build(inputFor(stack, name, { polls: 0 }));
      const view = await statusWhere(name, async () => {
        assert.equal((await start(name, `request-${name}-again`)).code, 0);
        await until('it polls', () => stack.buildApi.requests(`request-${name}-again`).length > 1);
      });
      assert.deepEqual([view['status'], view['execution_status'], view['move']], ['IN_PROGRESS', 'RUNNING', undefined]);
      assert.equal(view['next_command'], `role-build watch ${ACCOUNT} 'iam_role#${name}'`);
      await executionOf(name).cancel();
    });
  }

  it('a build that is deleted from Temporal while status reads it is shown from its record', async () => {
    const { json } = await stack.build(inputFor(stack, 'deleted', { polls: 0 }));
    const view = await statusWhere('deleted', async () => {
      const { workflowId } = executionOf('deleted');
      const workflowExecution = { workflowId };
      await client.workflowService.deleteWorkflowExecution({ namespace: stack.temporal.namespace, workflowExecution });
      await until('Temporal has deleted it', () =>
        executionOf('deleted')
          .describe()
          .then(
            () => false,
            () => true,
          ),
      );
    });
    assert.deepEqual([view['status'], view['job_id']], ['COMPLETE', json['job_id']]);
    assert.equal(view['execution_status'], undefined);
  });
});
