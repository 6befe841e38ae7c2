import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DynamoDBClient, PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { Client, Connection } from '@temporalio/client';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import type { CliResult } from '../../dev/stack.ts';
import { HISTORY_TABLE_NAME, STATUS_TABLE_NAME } from '../../src/records/names.ts';
import { startRoleBuild } from '../../src/start-role-build.ts';
import { ACCOUNT, inputFor, parseJson, startTestStack, type RawItem, type TestStack } from '../support/stack.ts';
import { exitsWith } from '../support/exits-with.ts';

const EXECUTION = 'arn:aws:states:eu-west-1:123456789012:execution:iam-orchestrator:e-1';

describe('a record that is IN_PROGRESS under Step Functions', { concurrency: 3 }, () => {
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

  /** Both records as the state machine's two puts leave them. */
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

  it('a start names the job of an IN_PROGRESS record that Temporal does not know, before it replaces the record', async () => {
    const input = inputFor(stack, 'elsewhere', { polls: 0 });
    await putOriginal(input);
    const job_id = '01a0f3a1-0000-7000-8000-000000000000';
    const Key = { account_id: { S: ACCOUNT }, resource: { S: input.ddb_composite_sort_key } };
    for (const [TableName, key] of [
      [STATUS_TABLE_NAME, Key],
      [HISTORY_TABLE_NAME, { request_id: { S: input.correlation_id } }],
    ] as const) {
      const UpdateExpression = 'SET job_id = :job_id';
      const ExpressionAttributeValues = { ':job_id': { S: job_id } };
      await direct.send(new UpdateItemCommand({ TableName, Key: key, UpdateExpression, ExpressionAttributeValues }));
    }
    const { code, stderr } = await stack.build(input);
    assert.equal(code, 0, stderr);
    const why = `job ${job_id} is IN_PROGRESS in the status record, and Temporal does not know it in the namespace `;
    assert.ok(stderr.includes(why), stderr);
    const again = await stack.build(input);
    assert.doesNotMatch(again.stderr, /IN_PROGRESS in the status record/);
  });

  it('a record that is IN_PROGRESS under Step Functions makes start refuse, name the execution and start nothing', async () => {
    const input = inputFor(stack, 'held', { polls: 0 });
    await putOriginal(input, 'request-of-the-original');
    const records = await stack.records(input);
    const { code, json, stderr } = await stack.build(input);
    assert.equal(code, 3, stderr);
    assert.equal(json['job_id'], EXECUTION);
    assert.match(stderr, /--take-over/);
    assert.deepEqual(await stack.records(input), records);
    assert.equal(stack.buildApi.requests(input.correlation_id).length, 0);
    const { code: unknown } = await stack.cli(['cancel', ACCOUNT, input.ddb_composite_sort_key]);
    assert.equal(unknown, 4);
    const resumed = await stack.cli(['resume', ACCOUNT, input.ddb_composite_sort_key]);
    assert.equal(resumed.code, 4, resumed.stderr);
    assert.match(resumed.stderr, /an execution of Step Functions holds its record: arn:aws/);
    const shown = await stack.cli(['status', ACCOUNT, input.ddb_composite_sort_key]);
    assert.match(shown.stdout, /^an execution of Step Functions holds the record/m);
  });

  it("a record that is IN_PROGRESS under Step Functions makes the put refuse another client's start: nothing is written or triggered", async () => {
    const input = inputFor(stack, 'held-put', { polls: 0 });
    await putOriginal(input, 'another-request-of-the-original');
    const records = await stack.records(input);
    const connection = await Connection.connect({ address: stack.temporal.address });
    const client = new Client({ namespace: stack.temporal.namespace, connection });
    const { workflow_id: workflowId } = await startRoleBuild(client, input);
    await assert.rejects(client.workflow.getHandle(workflowId).result(), (err: Error) =>
      /HeldByStepFunctions/.test(JSON.stringify(err.cause)),
    );
    await connection.close();
    assert.deepEqual(await stack.records(input), records);
    assert.equal(stack.buildApi.requests(input.correlation_id).length, 0);
  });

  it('a record that is IN_PROGRESS under Step Functions and ends between the put and the look at its holder is replaced by the next attempt', async (t) => {
    if (stack.dynamoDb.kind === 'dynamodb-local')
      return t.skip('it tells with the refusal, so there is no second look');
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
    const client = new Client({ namespace: stack.temporal.namespace, connection });
    const { workflow_id: workflowId, job_id: jobId } = await startRoleBuild(client, input);
    await client.workflow.getHandle(workflowId).result();
    await connection.close();
    const { status, history } = await stack.records(input);
    for (const record of [status, history]) {
      assert.equal(record?.['status']?.S, 'COMPLETE');
      assert.equal(record?.['job_id']?.S, jobId);
    }
  });

  it('a record that is IN_PROGRESS under Step Functions makes start --wait exit 3 by the put if it could not look before', async () => {
    const input = inputFor(stack, 'held-blind', { polls: 0 });
    await putOriginal(input, 'a-third-request-of-the-original');
    const blind = { stdin: JSON.stringify(input), settings: { AWS_ENDPOINT_URL_DYNAMODB: 'http://127.0.0.1:9' } };
    const result = await stack.cli(['start', '--input', '-', '--wait', '--json'], blind);
    assert.equal(result.code, 3, result.stderr);
    assert.match(String(parseJson(result)['message']), /e-1/);
  });

  it('a record that is IN_PROGRESS under Step Functions makes start refuse if it is only in the history table', async () => {
    const input = inputFor(stack, 'held-history', { polls: 0 });
    const other = inputFor(stack, 'held-history-other', { polls: 0 });
    await putOriginal(other, input.correlation_id);
    const { code, stderr } = await stack.build(input);
    assert.equal(code, 3, stderr);
  });

  it('a record that is IN_PROGRESS under Step Functions is replaced with --take-over', async () => {
    const input = inputFor(stack, 'taken-over', { polls: 0 });
    await putOriginal(input);
    const stdin = JSON.stringify(input);
    const result = await stack.cli(['start', '--input', '-', '--wait', '--json', '--take-over'], { stdin });
    assert.equal(result.code, 0, result.stderr);
    const { status, history } = await stack.records(input);
    for (const record of [status, history]) {
      assert.equal(record?.['status']?.S, 'COMPLETE');
      assert.equal(record?.['job_id']?.S, parseJson(result)['job_id']);
    }
  });

  describe('commands, with items that others wrote', () => {
    const OTHER = '210987654321';
    const BIG = '12345678901234567890123456789';
    const START = '2025-01-09T15:25:00.123Z';
    const put = (TableName: string, Item: RawItem) => direct.send(new PutItemCommand({ TableName, Item }));
    const documents = ({ stdout }: CliResult) =>
      stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    const statusItem = (resource: string, more: RawItem): RawItem => ({
      account_id: { S: OTHER },
      resource: { S: resource },
      ...more,
    });

    it('history shows every request of an account page by page, also malformed ones, as such', async () => {
      const item = (request_id: string, start_at: string, more: RawItem): RawItem => ({
        request_id: { S: request_id },
        account_id: { S: OTHER },
        start_at: { S: start_at },
        resource: { S: `iam_role#${request_id}` },
        action: { S: 'create' },
        job_id: { S: EXECUTION },
        status: { S: 'COMPLETE' },
        trace_header: { S: 'Root=1' },
        ...more,
      });
      const items = [
        item('whole', '2025-01-09T15:25:08.000Z', { serial: { N: BIG }, tags: { SS: ['a', 'b'] } }),
        item('text', '2025-01-09T15:25:07.000Z', { status: { S: 'FAILED' }, error_info: { S: 'quota' } }),
        item('null', '2025-01-09T15:25:06.000Z', { status: { S: 'FAILED' }, error_info: { NULL: true } }),
        item('types', '2025-01-09T15:25:05.000Z', {
          resource: { N: BIG },
          action: { BS: [new Uint8Array([1, 2])] },
          job_id: { M: { deep: { L: [{ N: BIG }] } } },
          status: { NS: ['1', BIG] },
          updated_at: { N: '1e100' },
          previous_jobs: { S: 'none' },
          requested_by: { B: new Uint8Array([255]) },
        }),
        item('last', '2025-01-09T15:25:04.000Z', { previous_jobs: { L: [{ NULL: true }, { M: {} }] } }),
        { request_id: { S: 'bare' }, account_id: { S: OTHER }, start_at: { S: '1 January' } },
      ];
      for (const one of items) await put(HISTORY_TABLE_NAME, one);

      const all = await stack.cli(['history', OTHER, '--json']);
      assert.equal(all.code, 0, all.stderr);
      const shown = documents(all);
      assert.deepEqual(
        shown.map(({ request_id, status, odd_attributes }) => [request_id, status, Object.keys(odd_attributes ?? {})]),
        [
          ['whole', 'COMPLETE', []],
          ['text', 'FAILED', ['error_info']],
          ['null', 'FAILED', ['error_info']],
          [
            'types',
            undefined,
            ['resource', 'action', 'job_id', 'status', 'updated_at', 'requested_by', 'previous_jobs'],
          ],
          ['last', 'COMPLETE', ['previous_jobs']],
          ['bare', undefined, ['resource', 'action', 'job_id', 'start_at', 'status', 'trace_header']],
        ],
      );
      assert.deepEqual(shown[0]?.['serial'], { N: BIG });
      const odd = shown.map(({ odd_attributes }) => odd_attributes as Record<string, string> | undefined);
      assert.equal(odd[1]?.['error_info'], 'error_info is not a map with the texts Error and Cause: "quota"');
      assert.equal(odd[3]?.['resource'], `resource is not text: {"N":"${BIG}"}`);
      assert.equal(odd[3]?.['requested_by'], 'requested_by is not text: {"B":"/w=="}');

      const people = await stack.cli(['history', OTHER]);
      assert.equal(people.code, 0, people.stderr);
      assert.match(people.stdout, /^COMPLETE +iam_role#whole +create /m);
      assert.match(people.stdout, /^FAILED \(odd\) +iam_role#text +create /m);
      assert.match(people.stdout, /^odd text: error_info is not a map with the texts Error and Cause: "quota"$/m);
      assert.match(people.stdout, /^odd bare: resource is missing; .*start_at is not a time .*"1 January"/m);

      const paged: unknown[] = [];
      for (let args: string[] | undefined = ['history', OTHER, '--limit', '1', '--json']; args !== undefined;) {
        const page: CliResult = await stack.cli(args);
        paged.push(...documents(page).map(({ request_id }) => request_id));
        args = /^more: role-build (.*)$/m.exec(page.stderr)?.[1]?.split(' ');
      }
      assert.deepEqual(paged, ['whole', 'text', 'null', 'types', 'last', 'bare']);
    });

    it('status and watch show a record as far as they can read it, and say what is malformed', async () => {
      const odd = {
        job_id: { N: BIG },
        start_at: { N: '5' },
        status: { L: [] },
        error_info: { S: 'quota\u001b[31m' },
        steps: { S: 'not of this view' },
        next_command: { S: 'rm -rf /' },
      };
      await put(STATUS_TABLE_NAME, statusItem('odd', odd));
      const json = await stack.cli(['status', OTHER, 'odd', '--json']);
      assert.equal(json.code, 0, json.stderr);
      const { odd_attributes, ...view } = parseJson(json);
      assert.deepEqual(view, {
        account_id: OTHER,
        resource: 'odd',
        workflow_id: `role-build:${OTHER}:odd`,
        status: 'UNKNOWN',
        next_command: 'role-build doctor',
      });
      assert.equal(
        (odd_attributes as Record<string, string>)['start_at'],
        'start_at is not a time in ISO 8601, UTC: 5',
      );
      const people = await stack.cli(['status', OTHER, 'odd']);
      assert.equal(people.code, 0, people.stderr);
      assert.match(people.stdout, /^status +UNKNOWN$/m);
      assert.match(people.stdout, /^the record is not valid: .*start_at is not a time in ISO 8601, UTC: 5; .*quota/m);
      assert.ok(!people.stdout.includes('\u001b'));
      await exitsWith(1, stack.cli(['watch', OTHER, 'odd', '--json']));

      const error_info = { error_info: { NULL: true }, status: { S: 'COMPLETE' }, start_at: { S: START } };
      await put(STATUS_TABLE_NAME, statusItem('half', error_info));
      for (const resource of ['r'.repeat(1_000), '\u202e\u0001 é#']) {
        await put(STATUS_TABLE_NAME, statusItem(resource, error_info));
        const shown = await stack.cli(['status', OTHER, resource, '--json']);
        assert.equal(shown.code, 0, shown.stderr);
        assert.equal(parseJson(shown)['resource'], resource);
        const strange = { request_id: { S: 'strange' }, account_id: { S: '333322221111' } };
        await put(HISTORY_TABLE_NAME, { ...statusItem(resource, error_info), ...strange });
        await exitsWith(0, stack.cli(['status', '--correlation-id', 'strange', '--json']));
      }
      const half = parseJson(await stack.cli(['status', OTHER, 'half', '--json']));
      assert.deepEqual([half['status'], half['start_at'], half['error_info']], ['COMPLETE', START, undefined]);
    });

    it('--correlation-id is looked up only in a history record that names its account and resource', async () => {
      const bare = { request_id: { S: 'says-nothing' }, status: { S: 'COMPLETE' } };
      await put(HISTORY_TABLE_NAME, bare);
      const nobodys = await stack.cli(['status', '--correlation-id', 'says-nothing', '--json']);
      assert.equal(nobodys.code, 4, nobodys.stdout);
      assert.match(
        nobodys.stderr + nobodys.stdout,
        /does not say whose it is: account_id is missing; resource is missing/,
      );

      const input = inputFor(stack, 'goes-on', { outcome: 'NEVER' });
      const started = await stack.cli(['start', '--input', '-', '--json'], { stdin: JSON.stringify(input) });
      await put(HISTORY_TABLE_NAME, {
        ...bare,
        account_id: { S: ACCOUNT },
        resource: { S: input.ddb_composite_sort_key },
      });
      // The build that runs there is another request's.
      const shown = parseJson(await stack.cli(['status', '--correlation-id', 'says-nothing', '--json']));
      assert.deepEqual([shown['status'], shown['job_id']], ['COMPLETE', undefined]);
      await exitsWith(4, stack.cli(['cancel', '--correlation-id', 'says-nothing']));
      await stack.cli(['cancel', '--job-id', String(parseJson(started)['job_id']), '--wait']);
    });

    it('a start that meets a record without a start_at says so, and its advice works', async () => {
      const input = inputFor(stack, 'no-start', { polls: 0 });
      const odd = {
        account_id: { S: ACCOUNT },
        resource: { S: input.ddb_composite_sort_key },
        status: { S: 'COMPLETE' },
      };
      await put(STATUS_TABLE_NAME, odd);
      const refused = await stack.build(input);
      assert.equal(refused.code, 1, refused.stderr);
      const { Error: name, Cause } = refused.json['error_info'] as Record<string, string>;
      assert.equal(name, 'RecordWriteFailed');
      assert.match(Cause ?? '', /start_at is missing.* or delete the item/);
      assert.equal(refused.json['contested'], false);
      assert.match(
        refused.stderr,
        /a record is in the way: no build can replace its record, since start_at is missing/,
      );
      assert.deepEqual((await stack.records(input)).status, odd);
      assert.equal(stack.buildApi.requests(input.correlation_id).length, 0);

      await put(STATUS_TABLE_NAME, { ...odd, start_at: { S: START } });
      await exitsWith(0, stack.build(input));
    });
  });
});
