/** What doctor says about tables, search attributes, clocks and permissions before it compares anything. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DeleteTableCommand, UpdateTableCommand } from '@aws-sdk/client-dynamodb';
import {
  only,
  repairAll,
  startDoctorStack,
  TABLE_NAMES,
  type DoctorStack,
  type Examined,
} from '../support/doctor-fixture.ts';
import { inputFor, parseJson, until } from '../support/stack.ts';
import { exitsWith } from '../support/exits-with.ts';

describe('doctor --fix', () => {
  let stack: DoctorStack;
  before(async () => {
    stack = await startDoctorStack();
    await stack.startWorker();
  });
  after(() => stack.stop());

  it('doctor --fix creates missing tables and search attributes as setup does, and compares nothing without them', async () => {
    const job = await stack.ended('before-the-loss');
    // Tables that setup made have deletion protection, if the endpoint supports it.
    const unprotected = { TableName: TABLE_NAMES.history, DeletionProtectionEnabled: false };
    await stack.raw.send(new UpdateTableCommand(unprotected)).catch(() => undefined);
    await stack.raw.send(new DeleteTableCommand({ TableName: TABLE_NAMES.history }));
    await stack.client.connection.operatorService.removeSearchAttributes({
      namespace: stack.temporal.namespace,
      searchAttributes: ['DryRun', 'JobId'],
    });
    const found = await stack.doctor();
    assert.equal(found.code, 1, found.stderr);
    assert.deepEqual(
      found.findings.map(({ finding, fixable, fix }) => [finding, fixable, fix]),
      [
        ['TableMissing', true, 'role-build setup'],
        ['SearchAttributeMissing', true, 'role-build setup'],
        ['SearchAttributeMissing', true, 'role-build setup'],
      ],
    );
    assert.equal(found.findings[0]?.table, TABLE_NAMES.history);
    assert.match(found.stderr, /the records were not compared: table iam_orchestrator_request_history is missing/);
    const repaired = await stack.doctor(['--fix', '--yes']);
    assert.equal(repaired.code, 0, repaired.stdout + repaired.stderr);
    assert.deepEqual(
      repaired.findings.slice(0, 3).map(({ result }) => result),
      ['mended', 'mended', 'mended'],
    );
    assert.equal(repaired.findings.at(-1)?.finding, 'RecordMissing');
    assert.deepEqual(await stack.statuses(job.input), ['COMPLETE', 'COMPLETE']);
    await repairAll(stack);
  });

  it('setup and doctor say how many search attributes are needed and free, and what to do if there is no room', async () => {
    const [KEYWORD, INT] = [2, 3];
    const namespace = 'nearly-full';
    const { connection } = stack.client;
    const inIt = { settings: { TEMPORAL_NAMESPACE: namespace } };
    await stack.client.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
    });
    const others = ['Team', 'Cost', 'Region', 'Stage', 'Owner'];
    const searchAttributes = Object.fromEntries(others.map((name) => [name, KEYWORD]));
    await until('the namespace takes search attributes', () =>
      connection.operatorService.addSearchAttributes({ namespace, searchAttributes }).then(
        () => true,
        () => false,
      ),
    );
    const there = async () =>
      Object.keys((await connection.operatorService.listSearchAttributes({ namespace })).customAttributes ?? {});
    const advice =
      /temporal operator namespace create .*temporal operator search-attribute remove --namespace nearly-full --name NAME; there are Cost, Owner, Region, Stage, Team\)/;

    const full = await stack.cli(['setup'], inIt);
    assert.equal(full.code, 1, full.stderr);
    assert.match(full.stdout, /^search attribute JobId: missing$/m);
    assert.match(
      full.stdout,
      /^search attributes needed: 8 Keyword \(8 of them missing\), 5 more free; 1 Bool \(1 of/m,
    );
    assert.match(
      full.stderr,
      /namespace nearly-full has no room .*: 8 Keyword are missing and 5 free; .* takes 10 Keyword/,
    );
    assert.match(full.stderr, advice);
    const json = parseJson(await stack.cli(['setup', '--json'], inIt));
    assert.deepEqual(json['search_attribute_types'], [
      { type: 'KEYWORD', needed: 8, missing: 8, free: 5 },
      { type: 'BOOL', needed: 1, missing: 1, free: 3 },
    ]);
    assert.match((json['left'] as { fix: string }).fix, advice);

    // Registering half of them would use up the room and be of no use.
    const left = await stack.doctor(['--fix', '--yes'], inIt);
    assert.equal(left.code, 1, left.stderr);
    const missing = left.findings.filter(({ finding }) => finding === 'SearchAttributeMissing');
    assert.deepEqual([missing.length, new Set(missing.map(({ fixable }) => fixable))], [9, new Set([false])]);
    assert.match(missing[0]?.reason ?? '', /8 Keyword \(8 of them missing\), 5 more free/);
    assert.match(missing[0]?.fix ?? '', advice);
    assert.deepEqual((await there()).toSorted(), others.toSorted());

    await connection.operatorService.removeSearchAttributes({ namespace, searchAttributes: others.slice(0, 3) });
    const done = await stack.cli(['setup'], inIt);
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stdout, /^search attributes needed: 8 Keyword, 0 more free; 1 Bool, 2 more free$/m);

    await connection.operatorService.removeSearchAttributes({ namespace, searchAttributes: ['JobId'] });
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes: { JobId: INT } });
    const otherType = await stack.cli(['setup'], inIt);
    assert.equal(otherType.code, 1, otherType.stderr);
    assert.match(otherType.stdout, /^search attribute JobId: has another type$/m);
    assert.match(otherType.stderr, /JobId has another type than KEYWORD\n.*--name NAME; there are JobId\)/);
    const compared = await stack.doctor([], inIt);
    assert.deepEqual(
      compared.findings.map(({ finding }) => finding).filter((finding) => finding.startsWith('Search')),
      ['SearchAttributeMismatch'],
    );
    assert.match(compared.stderr, /Temporal's list of builds was not checked: the search attribute JobId/);
    assert.match(compared.stderr, /looked at \d+ status records/);
  });

  it("doctor --fix reports a table with another key, which it can't repair", async () => {
    const found = await stack.doctor(['--fix', '--yes'], { settings: { STATUS_TABLE: TABLE_NAMES.history } });
    assert.equal(found.code, 1, found.stderr);
    assert.deepEqual(
      found.findings.map(({ finding, fixable, result }) => [finding, fixable, result]),
      [['TableKeyMismatch', false, 'left alone']],
    );
    assert.match(found.stderr, /the records were not compared/);
  });

  it('doctor --fix reports clocks that differ, and still compares if DynamoDB refuses signatures because of that', async () => {
    const job = await stack.ended('clocks');
    // A slow answer makes the difference less certain.
    const assertApart = ({ findings }: Examined, seconds: number, side: 'ahead of' | 'behind') => {
      const says = new RegExp(`^DynamoDB's clock is (\\d+) s ${side} this machine's$`).exec(findings[0]?.reason ?? '');
      assert.ok(Math.abs(Number(says?.[1]) - seconds) <= 10, findings[0]?.reason);
    };
    for (const [aheadMs, side] of [
      [-90_000, 'behind'],
      [600_000, 'ahead of'],
      [-600_000, 'behind'],
    ] as const) {
      stack.proxy.clockAheadMs = aheadMs;
      const examined = await stack.doctor();
      const { code, findings, stderr } = examined;
      assert.deepEqual(
        [code, findings.map(({ finding, fixable }) => [finding, fixable])],
        [1, [['ClocksApart', false]]],
        stderr,
      );
      assertApart(examined, Math.abs(aheadMs) / 1_000, side);
      assert.doesNotMatch(stderr, /could not be read/);
      assert.match(stderr, /looked at [1-9]\d* status records/);
    }
    // Workers and other commands go on.
    const { code, json } = await stack.build(inputFor(stack, 'clocks-apart', { polls: 0 }));
    assert.deepEqual([code, json['status']], [0, 'COMPLETE']);
    stack.proxy.clockAheadMs = 0;

    // This machine's clock is ten minutes behind: that alone puts no build's start in the future.
    const late =
      'const now = Date.now; const late = () => now() - 600_000; globalThis.Date = class extends Date { ' +
      'constructor(...of) { super(...(of.length === 0 ? [late()] : of)); } static now() { return late(); } };';
    const examined = await stack.doctor([], {
      settings: { NODE_OPTIONS: `--import "data:text/javascript,${encodeURIComponent(late)}"` },
    });
    assert.deepEqual(
      examined.findings.map(({ finding }) => finding),
      ['ClocksApart'],
      examined.stderr,
    );
    assertApart(examined, 600, 'ahead of');
    assert.deepEqual(await stack.statuses(job.input), ['COMPLETE', 'COMPLETE']);
  });

  it('doctor --fix reports calls that are refused for a missing permission, and still looks at the rest', async () => {
    const lost = await stack.terminated('denied');
    const refuse = (isRefused: (operation: string, table: string) => boolean) => {
      stack.proxy.answer = ({ operation, request }) =>
        isRefused(operation, request.TableName)
          ? {
              status: 400,
              body: {
                __type: 'com.amazon.coral.service#AccessDeniedException',
                message: `User: doctor is not authorized to perform: dynamodb:${operation}`,
              },
            }
          : undefined;
    };
    const kinds = ({ findings }: Examined) =>
      findings.map(({ finding, reason }) => `${finding} ${reason.slice(0, 40)}`);

    refuse((operation) => operation === 'DescribeTable');
    const keysUnknown = await stack.doctor();
    assert.deepEqual(kinds(keysUnknown), [
      'AccessDenied table iam_orchestrator_execution_status ',
      'AccessDenied table iam_orchestrator_request_history w',
      'WorkflowGone both records say IN_PROGRESS; the workfl',
    ]);
    assert.match(
      keysUnknown.findings[0]?.reason ?? '',
      /was not checked: .*not authorized to perform: dynamodb:DescribeTable/,
    );
    assert.match(keysUnknown.findings[0]?.fix ?? '', /deploy\/iam\/doctor\.json/);

    refuse((operation, table) => operation === 'Scan' && table === TABLE_NAMES.status);
    const walkedOn = await stack.doctor();
    assert.deepEqual(kinds(walkedOn), [
      'AccessDenied the status table was not checked to its ',
      // Seen by its workflow.
      'WorkflowGone both records say IN_PROGRESS; the workfl',
    ]);
    assert.match(walkedOn.stderr, /looked at 0 status records, [1-9]\d* history records, [1-9]\d* executions/);

    refuse((operation) => operation === 'UpdateItem');
    const notRepaired = await stack.doctor(['--fix', '--yes']);
    assert.deepEqual([notRepaired.code, only(notRepaired, lost.input).result], [1, 'left alone']);
    assert.match(notRepaired.stderr, /it can't be repaired: .*dynamodb:UpdateItem/);

    stack.proxy.answer = () => undefined;
    await repairAll(stack);
  });

  it('doctor --fix says what is wrong with one service although the other does not answer', async () => {
    await stack.client.connection.operatorService.removeSearchAttributes({
      namespace: stack.temporal.namespace,
      searchAttributes: ['DryRun'],
    });
    const { code, stdout } = await stack.cli(['doctor', '--json'], {
      settings: { AWS_ENDPOINT_URL_DYNAMODB: 'http://127.0.0.1:9' },
    });
    const [finding, failure] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual([code, finding?.['finding'], failure?.['error']], [5, 'SearchAttributeMissing', 'unreachable']);
    await exitsWith(0, stack.cli(['setup']));
  });
});
