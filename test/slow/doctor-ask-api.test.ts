import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { repairAll, only, startDoctorStack, type DoctorStack } from '../support/doctor-fixture.ts';
import { CREDENTIAL, until } from '../support/stack.ts';

describe('doctor --ask-api', () => {
  let stack: DoctorStack;
  let folder: string;
  let credential: string;
  let asking: string[];
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'role-build-'));
    credential = join(folder, 'credential');
    await writeFile(credential, `${CREDENTIAL}\n`);
    stack = await startDoctorStack();
    await stack.startWorker();
    asking = ['--ask-api', '--url', stack.buildApiUrl, '--encrypted-jwt-file', credential];
  });
  after(async () => {
    await stack.stop();
    await rm(folder, { recursive: true });
  });

  /** A build whose workflow was terminated before the build API had decided. */
  const lost = async (name: string, outcome: 'SUCCEEDED' | 'FAILED' | 'NEVER') => {
    const job = await stack.start(name, { outcome, polls: 1 }, { poll_interval_seconds: 3600 });
    await until('it was triggered', () => stack.buildApi.requests(job.input.correlation_id).length >= 1);
    await until(
      'its answer is known',
      async () =>
        (await stack.client.workflow.getHandle(`role-build:123456789012:iam_role#${name}`).fetchHistory()).events?.some(
          (event) => event.timerStartedEventAttributes,
        ) ?? false,
    );
    await stack.terminate(job);
    return job;
  };
  /** The simulated build API decides at its second answer. */
  const decide = async (job: { input: { correlation_id: string } }) => {
    const [build] = stack.buildApi.builds().filter(({ correlation_id }) => correlation_id === job.input.correlation_id);
    await fetch(`${stack.buildApiUrl}/build/${String(build?.build_id)}`, {
      headers: {
        authorization: 'jwt',
        'encrypted-authorization': 'x',
        'content-type': 'application/json',
        referer: 'x/proxy',
        'x-amzn-RequestId': job.input.correlation_id,
      },
    });
  };

  it('doctor --ask-api records what the build API says: SUCCEEDED, FAILED', async () => {
    const complete = await lost('asked-succeeded', 'SUCCEEDED');
    const failed = await lost('asked-failed', 'FAILED');
    for (const job of [complete, failed]) await decide(job);
    const without = await stack.doctor();
    assert.match(only(without, complete.input).fix, /--ask-api asks the build API first/);
    const found = await stack.doctor(asking);
    assert.match(only(found, complete.input).reason, /the build API says that build .* ended with SUCCEEDED/);
    const { findings } = await repairAll(stack, asking);
    assert.equal(findings.length, 2);
    assert.deepEqual(await stack.statuses(complete.input), ['COMPLETE', 'COMPLETE']);
    assert.deepEqual(await stack.statuses(failed.input), ['FAILED', 'FAILED']);
    const { history } = await stack.records(failed.input);
    assert.equal(history?.['error_info']?.M?.['Error']?.S, 'BuildFailed');
    assert.match(
      history?.['error_info']?.M?.['Cause']?.S ?? '',
      /^GetBuildStatus: build .* ended with FAILED\. Last answer: \{/,
    );
    const gets = stack.buildApi.requests(complete.input.correlation_id).filter(({ method }) => method === 'GET');
    const sent = Object.fromEntries((gets.at(-1)?.headers ?? []).map(([name, value]) => [name.toLowerCase(), value]));
    assert.equal(sent['encrypted-authorization'], CREDENTIAL);
    assert.equal(sent['referer'], 'https://alb.example.com/proxy');
    assert.ok(!JSON.stringify(await stack.records(failed.input)).includes(CREDENTIAL));
  });

  it('doctor --ask-api says that a build is still under way, and that resume polls on after ExecutionLost', async () => {
    const job = await lost('asked-undecided', 'NEVER');
    const found = await stack.doctor(asking);
    const finding = only(found, job.input);
    assert.match(finding.reason, /is still going on \(IN_PROGRESS\)/);
    assert.match(finding.fix, /to FAILED, ExecutionLost; then role-build resume polls on$/);
    await repairAll(stack, asking);
    const { status } = await stack.records(job.input);
    assert.equal(status?.['error_info']?.M?.['Error']?.S, 'ExecutionLost');
    assert.equal(status?.['build_id']?.S, finding.build_id);
  });

  it('doctor --ask-api learns nothing if the build API does not know the build or does not answer', async () => {
    const job = await lost('asked-unknown', 'SUCCEEDED');
    for (const status of [404, 503]) {
      stack.buildApi.putFaults({ status: [{ status }] });
      const finding = only(await stack.doctor(asking), job.input);
      assert.match(finding.reason, new RegExp(`the build API does not tell: GET .* answered ${status}`));
      assert.match(finding.fix, /ExecutionLost/);
      stack.buildApi.clearFaults();
    }
    const recorded = await stack.records(job.input);
    const elsewhere = await stack.doctor(['--ask-api', '--url', 'http://127.0.0.1:9', '--fix', '--yes'], {
      settings: { ENCRYPTED_JWT: CREDENTIAL },
    });
    const { reason, doubtful, result } = only(elsewhere, job.input);
    assert.match(reason, /does not tell: .*ECONNREFUSED/);
    assert.deepEqual([elsewhere.code, doubtful, result], [1, true, 'left alone']);
    assert.deepEqual(await stack.records(job.input), recorded);
    await repairAll(stack);
  });

  it('doctor --ask-api decides between two tables with different outcomes', async () => {
    const job = await lost('asked-between', 'SUCCEEDED');
    await decide(job);
    await stack.change('status', job.input, { status: { S: 'COMPLETE' } });
    await stack.change('history', job.input, { status: { S: 'CANCELLED' } });
    const open = await stack.doctor(['--fix', '--yes']);
    assert.deepEqual([open.code, only(open, job.input).fixable], [1, false]);
    assert.equal(only(await repairAll(stack, asking), job.input).finding, 'EndsDiffer');
    assert.deepEqual(await stack.statuses(job.input), ['COMPLETE', 'COMPLETE']);
  });
});
