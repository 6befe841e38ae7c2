/** Builds that continue an earlier job, when its workflow or their own is terminated. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { workflowIdOf } from '../../src/domain/identity.ts';
import {
  repairAll,
  sayYesToAll,
  startDoctorStack,
  TABLE_NAMES,
  type DoctorStack,
  type Job,
} from '../support/doctor-fixture.ts';
import type { DynamoDbFault } from '../support/dynamodb-proxy.ts';
import { ACCOUNT, parseJson, until } from '../support/stack.ts';

const SENT_TO = { M: { name: { S: 'dc1.example.com' }, address: { S: '192.0.2.1' } } };
const GROUP_UNKNOWN = { M: { Error: { S: 'DirectoryGroupUnknown' }, Cause: { S: 'no answer' }, sent_to: SENT_TO } };

let stack: DoctorStack;
before(async () => {
  stack = await startDoctorStack();
  await stack.startWorker();
});
after(() => stack.stop());

const historyOf = async ({ input }: Job) => (await stack.records(input)).history ?? {};

describe('builds that are resumed', () => {
  const resume = async ({ input }: Job): Promise<Job> => {
    const args = ['resume', ACCOUNT, input.ddb_composite_sort_key, '--input', '-', '--json'];
    const resumed = await stack.cli(args, { stdin: JSON.stringify(input) });
    assert.equal(resumed.code, 0, resumed.stderr);
    return { input, jobId: String(parseJson(resumed)['job_id']) };
  };

  /** Waits until the build has made its first put. */
  const lose = async (job: Job) => {
    await until(
      'it has its status record',
      async () => (await stack.records(job.input)).status?.['job_id']?.S === job.jobId,
    );
    await stack.terminate(job);
  };

  for (const isKnown of [true, false]) {
    it(`a resumed build that is lost before the put of its history keeps the earlier ends in the record that is made for it, ${isKnown ? 'while' : 'though'} Temporal ${isKnown ? 'knows it' : 'has forgotten it'}`, async (t) => {
      const name = `unput-${isKnown}`;
      const first = await stack.terminated(name);
      await repairAll(stack);
      const { job_id, start_at, status: ended, updated_at, build_id, error_info } = await historyOf(first);
      t.after(() => (stack.proxy.decide = () => undefined));
      stack.proxy.decide = ({ operation, request }) =>
        operation === 'PutItem' && request.TableName === TABLE_NAMES.history ? 'refuse' : undefined;
      const second = await resume(first);
      await lose(second);
      if (!isKnown) await stack.forget(second);
      await sayYesToAll(stack);
      const { job_id: repaired, previous_jobs } = await historyOf(second);
      assert.equal(repaired?.S, second.jobId);
      assert.deepEqual(previous_jobs?.L, [
        { M: { job_id, start_at, status: ended, updated_at, build_id, error_info } },
      ]);

      const askedAgain = await stack.start(name);
      await lose(askedAgain);
      await repairAll(stack);
      const last = await historyOf(askedAgain);
      assert.equal(last['job_id']?.S, askedAgain.jobId);
      assert.equal(last['previous_jobs'], undefined);
    });
  }

  it('a build that is lost during its POST is resumed by a POST with the same request ID', async () => {
    const job = await stack.start('lost-in-post', { polls: 0, trigger: [{ hang: true }] });
    await until('its POST is sent', () => stack.buildApi.requests(job.input.correlation_id).length >= 1);
    await stack.terminate(job);
    await repairAll(stack);
    const { status } = await stack.records(job.input);
    assert.equal(status?.['error_info']?.M?.['Error']?.S, 'ExecutionLost');
    const args = ['resume', ACCOUNT, job.input.ddb_composite_sort_key, '--wait', '--json'];
    const { code, stderr } = await stack.cli(args);
    assert.equal(code, 0, stderr);
    const requests = stack.buildApi.requests(job.input.correlation_id).filter(({ method }) => method === 'POST');
    assert.equal(requests.length, 2);
  });

  it("a resumed build that is lost keeps the domain controller of the earlier job's add for the next resume", async () => {
    const earlier = await stack.terminated('sent-to');
    await repairAll(stack);
    for (const table of ['status', 'history'] as const) {
      await stack.change(table, earlier.input, { error_info: GROUP_UNKNOWN });
    }
    const resumed = await resume({ ...earlier, input: { ...earlier.input, directory_group: true } });
    await until('it is under way', async () => (await stack.statuses(resumed.input))[1] === 'IN_PROGRESS');
    await stack.terminate(resumed);
    await stack.doctor(['--fix', '--yes']);
    const { status, history } = await stack.records(resumed.input);
    for (const record of [status, history]) {
      assert.equal(record?.['job_id']?.S, resumed.jobId);
      assert.equal(record?.['error_info']?.M?.['Error']?.S, 'ExecutionLost');
      assert.deepEqual(record?.['error_info']?.M?.['sent_to'], SENT_TO);
    }
  });
});

describe('builds that are resumed beside others', { concurrency: true }, () => {
  /** The faults of the writes to the history record, by request. */
  const faults = new Map<string, { operation: string; fault: DynamoDbFault }>();
  before(() => {
    stack.proxy.decide = ({ operation, request }) => {
      if (request.TableName !== TABLE_NAMES.history) return undefined;
      const text = JSON.stringify(request);
      return [...faults].find(([id, one]) => operation === one.operation && text.includes(id))?.[1].fault;
    };
  });

  for (const name of ['BuildApiUnavailable', 'DirectoryGroupUnknown']) {
    it(`a build that is lost between its final record updates is resumed with the end in its status record: ${name}`, async () => {
      const unavailable = Array.from({ length: 6 }, () => ({ status: 503 }));
      const first = await stack.start(`half-${name}`, { polls: 0, status: unavailable });
      faults.set(first.input.correlation_id, { operation: 'UpdateItem', fault: 'refuse' });
      await until('only its status record tells its end', () =>
        stack.proxy.callsFor(first.input.correlation_id).some(({ fault }) => fault === 'refuse'),
      );
      await stack.terminate(first);
      faults.delete(first.input.correlation_id);
      const directory_group = name === 'DirectoryGroupUnknown';
      if (directory_group) await stack.change('status', first.input, { error_info: GROUP_UNKNOWN });
      const { status = {} } = await stack.records(first.input);
      const { job_id, start_at, status: ended, updated_at, build_id, error_info } = status;
      const stdin = JSON.stringify({ ...first.input, directory_group });
      const args = ['resume', ACCOUNT, first.input.ddb_composite_sort_key, '--input', '-', '--wait', '--json'];
      const resumed = parseJson(await stack.cli(args, { stdin }));
      assert.equal((resumed['error_info'] as { Error: string }).Error, 'BuildApiUnavailable');
      const history = await historyOf(first);
      assert.equal(history['job_id']?.S, resumed['job_id']);
      assert.deepEqual(history['previous_jobs']?.L, [
        { M: { job_id, start_at, status: ended, updated_at, build_id, error_info } },
      ]);
    });
  }

  for (const [name, simulate, posts] of [
    ['BuildApiUnavailable', { polls: 0, status: [503, 503, 503].map((status) => ({ status })) }, 1],
    ['BuildTriggerUnknown', { polls: 0, trigger: [1, 2, 3].map(() => ({ drop: 'after' as const })) }, 4],
  ] as const) {
    it(`a resumed build whose put fails is resumed as the job before it: ${name}`, async () => {
      const { input } = await stack.start(`unputtable-${name}`, { ...simulate });
      // Its records have the end a moment before its workflow closes.
      const { workflow } = stack.client;
      await assert.rejects(workflow.getHandle(workflowIdOf(ACCOUNT, input.ddb_composite_sort_key)).result());
      const args = ['resume', ACCOUNT, input.ddb_composite_sort_key, '--wait', '--json'];
      faults.set(input.correlation_id, { operation: 'PutItem', fault: 'throttle' });
      const unput = parseJson(await stack.cli(args));
      assert.equal((unput['error_info'] as { Error: string }).Error, 'RecordWriteFailed');
      assert.match(String(unput['next_command']), /^role-build resume /);
      faults.delete(input.correlation_id);
      const { code, stderr } = await stack.cli(args);
      assert.equal(code, 0, stderr);
      assert.equal(
        stack.buildApi.requests(input.correlation_id).filter(({ method }) => method === 'POST').length,
        posts,
      );
    });
  }
});
