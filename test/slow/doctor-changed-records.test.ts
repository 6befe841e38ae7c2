/** Records that somebody changed by hand, and repairs that are interrupted. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startDoctorStack, type DoctorStack } from '../support/doctor-fixture.ts';
import { ACCOUNT, inputFor, until } from '../support/stack.ts';

/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html */
const ITEM_MAX_BYTES = 400 * 1024;

describe('a record that somebody changed or copied', () => {
  let stack: DoctorStack;
  before(async () => {
    stack = await startDoctorStack();
    await stack.startWorker();
  });
  after(() => stack.stop());

  for (const isKnown of [true, false]) {
    it(`a record that somebody changed or copied to another key is reported by doctor, and no other is made for its job, ${isKnown ? 'while' : 'though'} Temporal ${isKnown ? 'knows the job' : 'has forgotten it'}`, async () => {
      const job = await stack.ended(`copied-${isKnown}`);
      if (!isKnown) await stack.forget(job);
      const { status = {}, history = {} } = await stack.records(job.input);
      const copy = inputFor(stack, `copy-${isKnown}`);
      await stack.put('status', { ...status, resource: { S: copy.ddb_composite_sort_key } });
      await stack.put('history', { ...history, request_id: { S: copy.correlation_id }, status: { S: 'IN_PROGRESS' } });
      const { findings } = await stack.doctor(['--fix', '--yes']);
      const found = findings
        .filter(({ job_id }) => job_id === job.jobId)
        .map(({ finding, reason }) => [finding, reason]);
      assert.deepEqual(
        found.map(([finding]) => finding),
        isKnown ? ['RecordMisplaced', 'RecordMisplaced'] : found.map(() => 'RecordMisplaced'),
        JSON.stringify(found),
      );
      assert.ok(found.length > 0);
      assert.deepEqual(await stack.statuses(job.input), ['COMPLETE', 'COMPLETE']);
      for (const input of [job.input, copy])
        for (const table of ['status', 'history'] as const) await stack.remove(table, input);
    });
  }

  it('a record that somebody changed does not keep doctor from other repairs: with a NUL in its key, or without room for an end', async () => {
    const [full, other] = [await stack.terminated('full'), await stack.terminated('beside-it')];
    const { status: item = {} } = await stack.records(full.input);
    const used = Object.entries(item).reduce((sum, [name, { S = ' ' }]) => sum + name.length + S.length, 0);
    const padding = 'x'.repeat(ITEM_MAX_BYTES - used - 'padding'.length);
    await stack.change('status', full.input, { padding: { S: padding } });
    const { status = {} } = await stack.records(other.input);
    const job_id = { S: '11111111-2222-4333-8444-555555555556' };
    await stack.put('status', { ...status, resource: { S: 'iam_role#\u0000' }, job_id, status: { S: 'COMPLETE' } });
    const { code, stderr } = await stack.doctor(['--fix', '--yes']);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /it can't be repaired: .*Item size/);
    assert.deepEqual(await stack.statuses(other.input), ['FAILED', 'FAILED']);
    await stack.remove('status', { ...other.input, ddb_composite_sort_key: 'iam_role#\u0000' });
    for (const { input } of [full, other])
      for (const table of ['status', 'history'] as const) await stack.remove(table, input);
  });

  it('an interrupted doctor --fix repairs both records of the job at hand before it stops, and says what it has done', async (t) => {
    const jobs = await Promise.all(Array.from({ length: 8 }, (_, i) => stack.terminated(`interrupted-${i}`)));
    // The writes of a repair take so long that the interrupt comes in the middle of one.
    stack.proxy.decide = async ({ operation }) => {
      if (operation === 'UpdateItem') await delay(300);
      return undefined;
    };
    t.after(() => (stack.proxy.decide = () => undefined));
    let printed = '';
    const running = stack.startCli(['doctor', '--fix', '--yes', '--json'], { onStdout: (chunk) => (printed += chunk) });
    t.after(() => running.kill('SIGKILL'));
    await until('one is repaired', () => printed.includes('"mended"'));
    running.kill('SIGINT');
    const { code, stdout, stderr } = await running.result;
    assert.equal(code, 130, stderr);
    const repaired = stdout.split('"mended"').length - 1;
    assert.match(stderr, new RegExp(`findings: \\d+, repaired: ${repaired}, left: `));
    const states = await Promise.all(jobs.map(async (job) => (await stack.statuses(job.input)).join()));
    assert.equal(states.filter((state) => state === 'FAILED,FAILED').length, repaired, states.join(' '));
    assert.ok(repaired < jobs.length && !states.includes('FAILED,IN_PROGRESS'), states.join(' '));
    for (const { input } of jobs) for (const table of ['status', 'history'] as const) await stack.remove(table, input);
  });

  it('a record that somebody changed is not resumed if the two records disagree on the build', async () => {
    const unavailable = { status: 503 };
    const job = await stack.ended('another-build', { polls: 0, status: [unavailable, unavailable, unavailable] });
    const resume = async () => stack.cli(['resume', ACCOUNT, job.input.ddb_composite_sort_key]);
    await stack.change('history', job.input, { updated_at: { S: 'yesterday' }, requested_by: { NULL: true } });
    for (const [build_id, why] of [
      ['another', /its two records have different values of build_id/],
      ['..', /its record is odd: build_id is "\.\."/],
    ] as const) {
      await stack.change('status', job.input, { build_id: { S: build_id } });
      const { code, stderr } = await resume();
      assert.equal(code, 4, stderr);
      assert.match(stderr, why);
    }
    for (const table of ['status', 'history'] as const) await stack.remove(table, job.input);
  });
});
