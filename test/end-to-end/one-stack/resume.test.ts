import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { before, describe, it } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { workflowIdOf } from '../../../src/contract.ts';
import type { RoleBuildInput } from '../../../src/domain/role-build-input.ts';
import { ACCOUNT, CREDENTIAL, inputFor, letSucceed, parseJson, until, type TestStack } from '../../support/stack.ts';
import { oneStack } from './one-stack.ts';
import { exitsWith } from '../../support/exits-with.ts';

const three = <T>(value: T): T[] => [value, value, value];

describe('resume', { concurrency: 8 }, () => {
  let stack: TestStack;
  before(async () => {
    stack = await oneStack();
  });

  const resume = async (input: RoleBuildInput, args: string[] = [], options = {}) => {
    const name = ['resume', ACCOUNT, input.ddb_composite_sort_key, '--json'];
    const result = await stack.cli([...name, ...args], options);
    return { ...result, json: parseJson(result) };
  };
  const posts = (input: RoleBuildInput) =>
    stack.buildApi.requests(input.correlation_id).filter(({ method }) => method === 'POST');
  const polls = (input: RoleBuildInput) =>
    stack.buildApi.requests(input.correlation_id).filter(({ method }) => method === 'GET');

  it('resume polls on with the recorded build_id after BuildApiUnavailable, without a second POST', async () => {
    const input = inputFor(stack, 'unavailable', { polls: 0, status: three({ status: 503 }) });
    const first = await stack.build(input);
    assert.equal((first.json['error_info'] as { Error: string }).Error, 'BuildApiUnavailable');
    const earlier = await stack.records(input);

    const { code, json, stderr } = await resume(input, ['--wait']);
    assert.equal(code, 0, stderr);
    assert.equal(json['status'], 'COMPLETE');
    assert.notEqual(json['job_id'], first.json['job_id']);
    assert.equal(json['correlation_id'], input.correlation_id);
    assert.equal(json['build_id'], first.json['build_id']);
    assert.equal(json['error_info'], undefined);
    assert.equal(posts(input).length, 1);

    const { status, history } = await stack.records(input);
    for (const record of [status, history]) {
      assert.equal(record?.['status']?.S, 'COMPLETE');
      assert.equal(record?.['job_id']?.S, json['job_id']);
      assert.equal(record?.['build_id']?.S, first.json['build_id']);
      assert.equal(record?.['error_info'], undefined);
    }
    const [previous, ...more] = history?.['previous_jobs']?.L ?? [];
    assert.equal(more.length, 0);
    const { job_id, start_at, status: ended, updated_at, build_id, error_info } = earlier.history ?? {};
    assert.deepEqual(previous?.M, { job_id, start_at, status: ended, updated_at, build_id, error_info });
  });

  it('resume polls on after BuildDeadlineExceeded, counts its deadline from its own start, and keeps every earlier end', async () => {
    // Long enough for the POST to be answered on a busy machine.
    const input = inputFor(stack, 'deadline', { outcome: 'NEVER' }, { deadline_seconds: 14, requested_by: 'somebody' });
    const first = await stack.build(input);
    assert.equal(first.code, 1, first.stderr);
    assert.equal((first.json['error_info'] as { Error: string }).Error, 'BuildDeadlineExceeded');
    assert.ok((await stack.records(input)).history?.['build_id']?.S);
    const second = await resume(input, ['--wait']);
    assert.equal(second.code, 1, second.stderr);
    assert.equal((second.json['error_info'] as { Error: string }).Error, 'BuildDeadlineExceeded');
    letSucceed(stack, input);
    const third = await resume(input, ['--wait', '--deadline-seconds', '600']);
    assert.equal(third.code, 0, third.stderr);
    assert.equal(posts(input).length, 1);
    const { history } = await stack.records(input);
    assert.deepEqual(
      history?.['previous_jobs']?.L?.map(({ M }) => M?.['job_id']?.S),
      [first.json['job_id'], second.json['job_id']],
    );
    assert.equal(history['requested_by']?.S, 'somebody');
  });

  it('resume makes the POST again with the same request ID after BuildTriggerUnknown', async () => {
    const input = inputFor(stack, 'unknown', { polls: 0, trigger: three({ drop: 'after' }) });
    const first = await stack.build(input);
    assert.equal((first.json['error_info'] as { Error: string }).Error, 'BuildTriggerUnknown');
    const { code, json, stderr } = await resume(input, ['--wait']);
    assert.equal(code, 0, stderr);
    assert.equal(posts(input).length, 4);
    assert.equal(stack.buildApi.builds().filter((build) => build.correlation_id === input.correlation_id).length, 1);
    assert.equal(typeof json['build_id'], 'string');
    const { history } = await stack.records(input);
    assert.equal(history?.['previous_jobs']?.L?.[0]?.M?.['error_info']?.M?.['Error']?.S, 'BuildTriggerUnknown');
  });

  it('resume of BuildTriggerUnknown stays BuildTriggerUnknown if its POSTs are refused, and can be resumed again', async () => {
    const trigger = [...three({ drop: 'after' as const }), ...three({ status: 503 })];
    const input = inputFor(stack, 'still-unknown', { polls: 0, trigger });
    await stack.build(input);
    const second = await resume(input, ['--wait']);
    assert.equal((second.json['error_info'] as { Error: string }).Error, 'BuildTriggerUnknown', second.stderr);
    const third = await resume(input, ['--wait']);
    assert.equal(third.code, 0, third.stderr);
    assert.equal(posts(input).length, 7);
    assert.equal(stack.buildApi.builds().filter((build) => build.correlation_id === input.correlation_id).length, 1);
  });

  it('resume makes the POST again with the same request ID if a deadline passed before its answer', async () => {
    const trigger = three({ drop: 'after' as const });
    const input = inputFor(stack, 'late-post', { polls: 0, trigger }, { deadline_seconds: 5 });
    const first = await stack.build(input);
    assert.equal((first.json['error_info'] as { Error: string }).Error, 'BuildDeadlineExceeded');
    assert.equal(first.json['build_id'], undefined);
    const { code, stderr } = await resume(input, ['--wait', '--deadline-seconds', '600']);
    assert.equal(code, 0, stderr);
    assert.equal(stack.buildApi.builds().filter((build) => build.correlation_id === input.correlation_id).length, 1);
  });

  it('resume takes a fresh credential and another URL', async () => {
    const input = inputFor(stack, 'fresh', { polls: 0, status: three({ status: 503 }) });
    await stack.build(input);
    const fresh = { settings: { ENCRYPTED_JWT: 'fresh-credential' } };
    const { code, stderr } = await resume(
      input,
      ['--wait', '--url', `${stack.buildApiUrl}/`.replace(/\/$/, '')],
      fresh,
    );
    assert.equal(code, 0, stderr);
    const sent = polls(input).map(({ headers }) => new Map(headers).get('encrypted-authorization'));
    assert.deepEqual(sent, [...three(CREDENTIAL), 'fresh-credential']);

    const elsewhere = inputFor(stack, 'elsewhere', { polls: 0, status: three({ status: 503 }) });
    await stack.build(elsewhere);
    const { code: refused, json } = await resume(elsewhere, ['--wait', '--url', 'http://127.0.0.1:9']);
    assert.equal(refused, 1);
    assert.match((json['error_info'] as { Cause: string }).Cause, /BUILD_API_ALLOWED_ORIGINS/);
    assert.equal((await stack.records(elsewhere)).status?.['error_info']?.M?.['Error']?.S, 'BuildApiUnavailable');
  });

  it('resume sends a new credential to the recorded url only if told to: by --url, or by a person who is asked', async () => {
    const input = inputFor(stack, 'agreed', { polls: 0, status: three({ status: 503 }) });
    const { json: first } = await stack.build(input);
    const settings = { ENCRYPTED_JWT: 'fresh-credential' };
    const untouched = await stack.records(input);
    const sent = () =>
      stack.buildApi.requests(input.correlation_id).flatMap(({ headers }) => headers.map(([, value]) => value));

    const { code, json, stderr } = await resume(input, ['--wait'], { settings });
    assert.deepEqual([code, json['error'], json['url']], [2, 'usage', stack.buildApiUrl]);
    assert.match(
      String(json['message']),
      new RegExp(`would go to ${stack.buildApiUrl}, .*job ${String(first['job_id'])}`),
    );
    const command = `role-build resume ${ACCOUNT} 'iam_role#agreed' --url ${stack.buildApiUrl} --wait`;
    assert.ok(String(json['hint']).startsWith(`${command}, if`), String(json['hint']));
    assert.match(stderr, /unset ENCRYPTED_JWT/);
    const byFile = await resume(input, ['--encrypted-jwt-file', '-'], { stdin: 'fresh-credential' });
    assert.deepEqual([byFile.code, byFile.json['url']], [2, stack.buildApiUrl]);

    const terminal = { columns: 200, rows: 24 };
    const typed = Readable.from(['type n\\n\n']);
    const declined = await stack.cli(['resume', ACCOUNT, input.ddb_composite_sort_key], {
      settings,
      terminal,
      stdin: typed,
    });
    assert.equal(declined.code, 2, declined.stdout);
    assert.match(
      declined.stdout,
      /goes to http:\/\/127\.0\.0\.1:\d+, which the starter of job \S+ chose: send it there\? \[y\/N\]/,
    );
    assert.deepEqual(await stack.records(input), untouched);
    assert.ok(!sent().includes('fresh-credential'));

    const yes = Readable.from(['type yes\\n\n']);
    const agreed = await stack.cli(['resume', ACCOUNT, input.ddb_composite_sort_key, '--wait'], {
      settings,
      terminal,
      stdin: yes,
    });
    assert.equal(agreed.code, 0, agreed.stdout);
    assert.ok(sent().includes('fresh-credential'));
    // The credential of the start is not a new one.
    const same = inputFor(stack, 'same', { polls: 0, status: three({ status: 503 }) });
    await stack.build(same);
    await exitsWith(0, resume(same, ['--wait'], { settings: { ENCRYPTED_JWT: CREDENTIAL } }));
  });

  it("resume takes the input from --input if Temporal no longer has it, and refuses another request's", async () => {
    const input = inputFor(stack, 'forgotten', { polls: 0, status: three({ status: 503 }) });
    const first = await stack.build(input);
    const connection = await Connection.connect({ address: stack.temporal.address });
    const workflowId = workflowIdOf(ACCOUNT, input.ddb_composite_sort_key);
    await connection.workflowService.deleteWorkflowExecution({
      namespace: stack.temporal.namespace,
      workflowExecution: { workflowId },
    });
    const handle = new Client({ namespace: stack.temporal.namespace, connection }).workflow.getHandle(workflowId);
    await until('Temporal has forgotten it', () =>
      handle.describe().then(
        () => false,
        () => true,
      ),
    );
    await connection.close();

    const without = await resume(input);
    assert.equal(without.code, 2, without.stderr);
    assert.match(without.stderr, /--input FILE/);
    const other = { ...input, build_body: { ...input.build_body, action: 'delete' } };
    const wrong = await resume(input, ['--input', '-'], { stdin: JSON.stringify(other) });
    assert.equal(wrong.code, 2, wrong.stderr);
    assert.match(wrong.stderr, /action/);

    const { correlation_id: _, trace_header: __, ...rest } = input;
    const { code, stderr } = await resume(input, ['--wait', '--input', '-'], { stdin: JSON.stringify(rest) });
    assert.equal(code, 0, stderr);
    const { status, history } = await stack.records(input);
    assert.equal(status?.['correlation_id']?.S, input.correlation_id);
    assert.equal(status['trace_header']?.S, input.trace_header);
    assert.equal(history?.['previous_jobs']?.L?.[0]?.M?.['job_id']?.S, first.json['job_id']);
    assert.equal(posts(input).length, 1);
  });

  for (const [name, simulate, why] of [
    ['complete', { polls: 0 }, /it ended COMPLETE/],
    ['refused', { polls: 0, outcome: 'FAILED' }, /it ended FAILED with BuildFailed/],
    ['never-taken', { trigger: three({ status: 503 }) }, /BuildApiUnavailable before the build API gave a build_id/],
  ] as const) {
    it(`resume refuses a build that is ${name}, with the reason`, async () => {
      const input = inputFor(stack, `not-${name}`, simulate);
      await stack.build(input);
      const records = await stack.records(input);
      const { code, stderr, json } = await resume(input);
      assert.equal(code, 4, stderr);
      assert.match(stderr, why);
      assert.equal(json['error'], 'notFound');
      assert.deepEqual(await stack.records(input), records);
    });
  }

  it('resume refuses a build that a worker refused, and says that nothing was done', async () => {
    const input = inputFor(stack, 'refused-at-once', {}, { url: 'http://127.0.0.1:9' });
    await stack.build(input);
    const { code, stderr } = await resume(input);
    assert.equal(code, 4, stderr);
    assert.match(stderr, /nothing to resume for .*: it has no record, so it ended before anything was done/);
  });

  it('resume refuses a running build, and one that does not exist', async () => {
    const input = inputFor(stack, 'running', { outcome: 'NEVER' });
    const { stdout } = await stack.cli(['start', '--input', '-', '--json'], { stdin: JSON.stringify(input) });
    const { code, json, stderr } = await resume(input);
    assert.equal(code, 3, stderr);
    assert.equal(json['job_id'], (JSON.parse(stdout) as { job_id: string }).job_id);
    await stack.cli(['cancel', ACCOUNT, input.ddb_composite_sort_key]);
    const { code: missing } = await stack.cli(['resume', ACCOUNT, 'iam_role#nobody']);
    assert.equal(missing, 4);
  });

  it('resume refuses a job whose record a newer job has taken', async () => {
    const input = inputFor(stack, 'overtaken', { polls: 0, status: three({ status: 503 }) });
    const first = await stack.build(input);
    const newer = inputFor(stack, 'overtaken', { polls: 0 }, { correlation_id: 'request-overtaken-2' });
    await stack.build(newer);
    const { code, stderr } = await stack.cli(['resume', '--job-id', String(first.json['job_id'])]);
    assert.equal(code, 4, stderr);
    assert.match(stderr, /has taken its record/);
  });

  it('ten resumes at once give one job', async () => {
    const input = inputFor(stack, 'race', { polls: 2, status: three({ status: 503 }) });
    await stack.build(input);
    const codes = await Promise.all(Array.from({ length: 10 }, () => resume(input).then(({ code }) => code)));
    assert.equal(codes.filter((code) => code === 0).length, 1, codes.join());
    // Those that come while it runs find it in progress; those that come later find nothing to resume.
    assert.equal(codes.filter((code) => code === 3 || code === 4).length, 9, codes.join());
    await until('it has ended', async () => (await stack.records(input)).history?.['status']?.S === 'COMPLETE');
    assert.equal((await stack.records(input)).history?.['previous_jobs']?.L?.length, 1);
  });
});
