import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import {
  repairAll,
  only,
  startDoctorStack,
  TABLE_NAMES,
  type DoctorStack,
  type Job,
} from '../support/doctor-fixture.ts';
import { CREDENTIAL, until } from '../support/stack.ts';
import { exitsWith } from '../support/exits-with.ts';

describe('doctor --fix', () => {
  let stack: DoctorStack;
  before(async () => {
    stack = await startDoctorStack();
    await stack.startWorker();
  });
  after(() => stack.stop());

  it('doctor --fix asks before each repair, and does as it is told: y, N, all, quit, and no answer', async () => {
    const jobs: Job[] = [];
    for (let i = 0; i < 4; i += 1) jobs.push(await stack.terminated(`asked-${i}`));
    const endedOf = async () => {
      const all = await Promise.all(jobs.map(({ input }) => stack.statuses(input)));
      return all.filter((statuses) => statuses.every((status) => status === 'FAILED')).length;
    };
    const none = await stack.doctor(['--fix']);
    assert.deepEqual(
      [none.code, none.findings.map(({ result }) => result), await endedOf()],
      [1, Array(4).fill('left alone'), 0],
    );
    assert.equal(none.stderr.match(/repair it\? \[y\/N\/all\/quit\]/g)?.length, 4);
    const quit = await stack.doctor(['--fix'], { stdin: 'n\nquit\n' });
    assert.deepEqual(
      [quit.code, quit.findings.map(({ result }) => result), await endedOf()],
      [1, ['left alone', 'left alone'], 0],
    );
    assert.match(quit.stderr, /stopped: the rest was not checked/);
    const one = await stack.doctor(['--fix'], { stdin: '\ny\nwhat?\n' });
    assert.deepEqual(
      one.findings.map(({ result }) => result),
      ['left alone', 'mended', 'left alone', 'left alone'],
    );
    assert.deepEqual([one.code, await endedOf()], [1, 1]);
    const all = await stack.doctor(['--fix'], { stdin: 'no\nALL\n' });
    assert.deepEqual(
      all.findings.map(({ result }) => result),
      ['left alone', 'mended', 'mended'],
    );
    assert.match(all.stderr, /findings: 3, repaired: 2, left: 1/);
    await repairAll(stack);
    assert.equal(await endedOf(), 4);
  });

  it('doctor --fix shows people each finding with its reason and fix, and what it did', async () => {
    const job = await stack.terminated('for-people');
    const { code, stdout, stderr } = await stack.cli(['doctor', '--fix', '--yes']);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^WorkflowGone\n {2}account_id +123456789012\n/);
    assert.match(
      stdout,
      /\n {2}reason +both records say IN_PROGRESS; .*\n {2}fix +set the status record to FAILED, ExecutionLost; .*\n {2}result +repaired\n/,
    );
    assert.ok(stdout.includes(job.jobId));
    assert.match(stderr, /findings: 1, repaired: 1, left: 0/);
    const again = await stack.cli(['doctor']);
    assert.deepEqual([again.code, again.stdout], [0, '']);
  });

  it('doctor --fix skips a record that changed between the question and the answer', async () => {
    const job = await stack.terminated('raced');
    const stdin = new PassThrough();
    let asked = false;
    const running = stack.doctor(['--fix'], { stdin, onStderr: (chunk) => (asked ||= chunk.includes('repair it?')) });
    await until('it asks', () => asked);
    for (const table of ['status', 'history'] as const) {
      await stack.change(table, job.input, { status: { S: 'CANCELLED' }, updated_at: { S: new Date().toISOString() } });
    }
    stdin.end('y\n');
    const { code, stderr, ...examined } = await running;
    assert.equal(only({ code, stderr, ...examined }, job.input).result, 'changed meanwhile; left alone');
    assert.deepEqual(await stack.statuses(job.input), ['CANCELLED', 'CANCELLED']);
    assert.match(stderr, /findings: 1, repaired: 0, left: 0/);
    assert.equal(code, 0, stderr);
  });

  it('doctor --fix finds out that a write whose answer was lost was made', async () => {
    const job = await stack.terminated('answer-lost');
    let lost = 0;
    stack.proxy.decide = ({ operation, request }) =>
      operation === 'UpdateItem' && request.TableName === TABLE_NAMES.history && lost++ === 0
        ? 'lose-answer'
        : undefined;
    const { code, stderr, ...examined } = await stack.doctor(['--fix', '--yes']);
    stack.proxy.decide = () => undefined;
    assert.equal(code, 0, stderr);
    assert.equal(only({ code, stderr, ...examined }, job.input).result, 'mended');
    assert.deepEqual(await stack.statuses(job.input), ['FAILED', 'FAILED']);
  });

  it('doctor --fix goes on through throttled reads', async () => {
    const seen = new Set<string>();
    stack.proxy.decide = ({ operation, request }) => {
      const call = JSON.stringify([operation, request]);
      if (!['Scan', 'BatchGetItem', 'GetItem'].includes(operation) || seen.has(call)) return undefined;
      seen.add(call);
      return 'throttle';
    };
    const { code, stderr } = await stack.doctor();
    stack.proxy.decide = () => undefined;
    assert.equal(code, 0, stderr);
    assert.ok(seen.size >= 4);
  });

  it("doctor --fix exits 2 on bad usage, and 5 if it can't reach a service", async () => {
    for (const [args, hint] of [
      [['--yes'], /--yes goes with --fix/],
      [['--url', stack.buildApiUrl], /go with --ask-api/],
      [['--ask-api'], /--ask-api needs --url/],
      [['--ask-api', '--url', stack.buildApiUrl], /needs a credential/],
      [['--ask-api', '--url', 'ftp://x', '--encrypted-jwt-file', '-'], /url must be an http or https URL/],
      [
        ['--ask-api', '--fix', '--url', stack.buildApiUrl, '--encrypted-jwt-file', '-'],
        /stdin can be the credential or the answers/,
      ],
    ] as const) {
      const { code, stderr, stdout } = await stack.cli(['doctor', ...args], { stdin: CREDENTIAL });
      assert.equal(code, 2, `${args.join(' ')}: ${stdout}${stderr}`);
      assert.match(stderr, hint);
    }
    for (const [name, value] of [
      ['TEMPORAL_ADDRESS', '127.0.0.1:9'],
      ['AWS_ENDPOINT_URL_DYNAMODB', 'http://127.0.0.1:9'],
    ] as const) {
      await exitsWith(5, stack.cli(['doctor'], { settings: { [name]: value } }));
    }
    const { code, stdout, stderr } = await stack.cli(['doctor', '--help']);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /Example:\n.*role-build doctor/);
  });
});
