/** Builds that go on with an earlier job's, and whose workflow is terminated. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { repairAll, startDoctorStack, type DoctorStack, type Job } from '../support/doctor-fixture.ts';
import { ACCOUNT, parseJson, until } from '../support/stack.ts';

describe('a resumed build that is lost', () => {
  let stack: DoctorStack;
  before(async () => {
    stack = await startDoctorStack();
    await stack.startWorker();
  });
  after(() => stack.stop());

  const resume = async ({ input }: Job): Promise<Job> => {
    const args = ['resume', ACCOUNT, input.ddb_composite_sort_key, '--input', '-', '--json'];
    const resumed = await stack.cli(args, { stdin: JSON.stringify(input) });
    assert.equal(resumed.code, 0, resumed.stderr);
    return { input, jobId: String(parseJson(resumed)['job_id']) };
  };

  it("a resumed build that is lost keeps where the earlier job's add was sent to, for the next that resumes it", async () => {
    const earlier = await stack.terminated('sent-to');
    await repairAll(stack);
    const sent_to = { M: { name: { S: 'dc1.example.com' }, address: { S: '192.0.2.1' } } };
    const error_info = { M: { Error: { S: 'DirectoryGroupUnknown' }, Cause: { S: 'no answer' }, sent_to } };
    for (const table of ['status', 'history'] as const) await stack.change(table, earlier.input, { error_info });
    const resumed = await resume({ ...earlier, input: { ...earlier.input, directory_group: true } });
    await until('it is under way', async () => (await stack.statuses(resumed.input))[1] === 'IN_PROGRESS');
    await stack.terminate(resumed);
    await stack.doctor(['--fix', '--yes']);
    const { status, history } = await stack.records(resumed.input);
    for (const record of [status, history]) {
      assert.equal(record?.['job_id']?.S, resumed.jobId);
      assert.equal(record?.['error_info']?.M?.['Error']?.S, 'ExecutionLost');
      assert.deepEqual(record?.['error_info']?.M?.['sent_to'], sent_to);
    }
  });
});
