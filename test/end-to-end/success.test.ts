import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { CREDENTIAL, inputFor, startTestStack, type TestStack } from '../support/stack.ts';

describe('a build that succeeds', { concurrency: 3 }, () => {
  let stack: TestStack;
  let workerOutput = '';

  before(async () => {
    stack = await startTestStack({ settings: { LOG_LEVEL: 'trace' } });
    await stack.startWorker({ onOutput: (chunk) => (workerOutput += chunk) });
  });
  after(() => stack.stop());

  it('a build that succeeds writes what the state machine writes, in its types and order, and ends both records COMPLETE', async () => {
    const input = inputFor(stack, 'data-reader', { polls: 1, build_id: 4711 }, { requested_by: 'someone' });
    const { code, json, stderr } = await stack.build(input);
    assert.equal(code, 0, stderr);
    assert.equal(json['status'], 'COMPLETE');

    const job = { job_id: { S: json['job_id'] as string }, start_at: { S: json['start_at'] as string } };
    assert.match(job.start_at.S, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const { status, history } = await stack.records(input);
    assert.match(status?.['updated_at']?.S ?? '', /Z$/);
    const { updated_at: _s, ...statusRest } = status ?? {};
    const { updated_at: _h, ...historyRest } = history ?? {};
    assert.deepEqual(statusRest, {
      account_id: { S: '123456789012' },
      resource: { S: 'iam_role#data-reader' },
      build_type: { S: 'iam_role' },
      action: { S: 'create' },
      custom_role_name: { S: 'data-reader' },
      dry_run: { BOOL: false },
      ...job,
      status: { S: 'COMPLETE' },
      correlation_id: { S: 'request-data-reader' },
      trace_header: { S: input.trace_header },
      build_id: { S: '4711' },
    });
    assert.deepEqual(historyRest, {
      request_id: { S: 'request-data-reader' },
      account_id: { S: '123456789012' },
      resource: { S: 'iam_role#data-reader' },
      action: { S: 'create' },
      ...job,
      status: { S: 'COMPLETE' },
      trace_header: { S: input.trace_header },
      requested_by: { S: 'someone' },
      build_id: { S: '4711' },
    });
    assert.deepEqual(
      stack.proxy
        .callsFor('data-reader')
        .filter(({ operation }) => operation !== 'GetItem')
        .map(({ operation, request }) => `${operation} ${request.TableName}`),
      [
        'PutItem iam_orchestrator_execution_status',
        'PutItem iam_orchestrator_request_history',
        'UpdateItem iam_orchestrator_execution_status',
        'UpdateItem iam_orchestrator_request_history',
      ],
    );
  });

  it("a build that succeeds sends exactly the state machine's five headers and the untouched body, and never polls before its interval", async () => {
    const input = inputFor(stack, 'headers', { polls: 1 }, { poll_interval_seconds: 2 });
    input.build_body['policy'] = { nested: [1, 'two', null, { three: 3.5 }], ünïcode: '☃' };
    await stack.build(input);
    const requests = stack.buildApi.requests(input.correlation_id);
    assert.deepEqual(
      requests.map(({ method, path }) => `${method} ${path.replace(/[0-9a-f-]{36}/, 'ID')}`),
      ['POST /build', 'GET /build/ID', 'GET /build/ID'],
    );
    assert.deepEqual(JSON.parse(requests[0]?.body ?? ''), input.build_body);
    for (const [i, request] of requests.slice(1).entries()) {
      assert.ok(request.at - (requests[i]?.at ?? Infinity) >= 2_000);
    }
    const transport = ['host', 'connection', 'content-length', 'transfer-encoding', 'accept-encoding'];
    for (const { headers } of requests) {
      const sent = headers.map(([name, value]) => [name.toLowerCase(), value] as const);
      assert.deepEqual(Object.fromEntries(sent.filter(([name]) => !transport.includes(name))), {
        authorization: 'jwt',
        'encrypted-authorization': CREDENTIAL,
        'content-type': 'application/json',
        referer: 'https://alb.example.com/proxy',
        'x-amzn-requestid': input.correlation_id,
      });
    }
  });

  it('a build that succeeds escapes its build ID in the path', async () => {
    const build_id = 'a/../b?c#d';
    const input = inputFor(stack, 'slash', { polls: 0, build_id });
    const { json } = await stack.build(input);
    assert.equal(json['build_id'], build_id);
    assert.equal(stack.buildApi.requests(input.correlation_id)[1]?.path, '/build/a%2F..%2Fb%3Fc%23d');
  });

  it('a build that succeeds can be started again with the same request ID: a new job replaces both records', async () => {
    const first = await stack.build(inputFor(stack, 'again', { polls: 0, outcome: 'FAILED' }));
    assert.equal(first.json['status'], 'FAILED');
    const input = inputFor(stack, 'again', { polls: 0 }, { correlation_id: 'request-again' });
    stack.buildApi.putFaults({
      trigger: [],
      status: [{ body: { build_status: 'SUCCEEDED' } }],
      correlation_id: 'request-again',
    });
    const second = await stack.build(input);
    assert.equal(second.json['status'], 'COMPLETE');
    assert.notEqual(second.json['job_id'], first.json['job_id']);
    const { status, history } = await stack.records(input);
    assert.equal(status?.['job_id']?.S, second.json['job_id']);
    assert.equal(history?.['job_id']?.S, second.json['job_id']);
    assert.equal(status?.['error_info'], undefined);
    assert.equal(history?.['error_info'], undefined);
  });

  it('a build that succeeds logs JSON lines at every level without the credential', async () => {
    await stack.build(inputFor(stack, 'logged', { polls: 0, trigger: [{ status: 503 }], status: [{ status: 400 }] }));
    const lines = workerOutput.split('\n').filter((line) => line.startsWith('{'));
    assert.ok(lines.length > 10);
    for (const line of lines) JSON.parse(line);
    assert.ok(!workerOutput.includes(CREDENTIAL));
  });
});
