/** What `batch` sends, what it shows on a terminal, and what it does if its file changes or its report can't be written. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { truncate } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { Screen } from '../../dev/screen.ts';
import type { CliResult } from '../../dev/stack.ts';
import type { ReportLine } from '../../src/cli/commands/batch/report.ts';
import { keysText, newKey } from '../encryption/keys.ts';
import { batchFixture, type Given } from '../support/batch-fixture.ts';
import { PROGRAMS } from '../support/programs.ts';
import { parseJson } from '../support/stack.ts';

describe('role-build batch', { concurrency: 2 }, () => {
  const on = batchFixture();
  const { lines, write, reportPath, readReport, args, postsOf } = on;

  it('role-build batch sends no line in the clear if there is a key', async () => {
    const settings = { ENCRYPTION_KEYS: keysText(newKey('key-a')), ROLE_BUILD_TASK_QUEUE: 'encrypted' };
    const file = await write('encrypted.ndjson', lines('encrypted', 3));
    const worker = await on.stack.startWorker({ settings });
    const result = await on.stack.cli(args(file, 'encrypted', '--wait'), { settings });
    await worker.stop();
    assert.equal(result.code, 0, result.stderr);
    assert.deepEqual(parseJson(result)['statuses'], { COMPLETE: 3 });
    const connection = await Connection.connect({ address: on.stack.temporal.address });
    const client = new Client({ namespace: on.stack.temporal.namespace, connection });
    for (const { workflow_id: id } of await readReport('encrypted')) {
      const { events } = await client.workflow.getHandle(id ?? '').fetchHistory();
      const started = events?.[0];
      const payloads = [
        ...(started?.workflowExecutionStartedEventAttributes?.input?.payloads ?? []),
        started?.userMetadata?.summary,
      ];
      assert.deepEqual(
        payloads.map((payload) => Buffer.from(payload?.metadata?.['encoding'] ?? '').toString()),
        ['binary/encrypted', 'binary/encrypted'],
      );
    }
    await connection.close();
  });

  it('role-build batch draws a progress bar only on a terminal', async () => {
    const file = await write('bar.ndjson', lines('bar', 5));
    const wide = await on.stack.cli(args(file, 'bar', '--rate', '5', '--wait'), {
      terminal: { columns: 100, rows: 20 },
    });
    assert.match(wide.stdout, /[█░]{40} \d+% \d\/5 · \d in flight · \d starts\/s/);
    const screen = new Screen(100, 20);
    screen.write(wide.stdout);
    assert.match(screen.text(), /^report: .*\n\{.*"statuses":\{"COMPLETE":5\}/);
    assert.doesNotMatch(screen.text(), /█|in flight/);

    const thin = await write('thin.ndjson', lines('thin', 5));
    const narrow = await on.stack.cli(args(thin, 'thin', '--rate', '5'), { terminal: { columns: 30, rows: 20 } });
    assert.match(narrow.stdout, /[█░]{10,} \d+% \d\/5(?! ·)/);

    for (const quiet of [{}, { terminal: { columns: 100, rows: 20 } }]) {
      const result = await on.stack.cli(args(file, 'bar', '--wait', '--quiet'), quiet);
      assert.doesNotMatch(result.stderr + result.stdout, /in flight|█/);
    }
  });

  it('role-build batch stops if its file changes while it starts the builds, and reports the lines before', async () => {
    // A queue that no worker polls.
    const settings = { ROLE_BUILD_TASK_QUEUE: 'nobody' };
    const file = await write('changing.ndjson', lines('changing', 2_000));
    let changed: Promise<void> | undefined;
    const result = await on.stack.cli(args(file, 'changing', '--rate', '20'), {
      settings,
      onStderr: (chunk) => {
        if (/^report: /m.test(chunk)) changed = truncate(file, 10);
      },
    });
    await changed;
    assert.equal(result.code, 2, result.stderr);
    assert.match(result.stderr, /changing\.ndjson has changed since it was checked, so no more of it is started$/m);
    assert.match(
      result.stderr,
      /^try: run the same command again: it checks the file and starts the builds that are missing$/m,
    );
    const again = await on.stack.cli(args(file, 'changing-2'), { settings });
    assert.equal(again.code, 2, again.stderr);
    assert.match(again.stderr, /^line 1: \(line\): is not JSON: /m);
  });

  it('role-build batch has its totals and report in the error if a service stays away', async () => {
    const settings = { AWS_ENDPOINT_URL_DYNAMODB: 'http://127.0.0.1:9' };
    const file = await write('away.ndjson', lines('away', 3));
    const away = await on.stack.cli(args(file, 'away'), { settings });
    assert.equal(away.code, 5, away.stderr);
    const { error, hint, lines: count, started, statuses, report } = parseJson(away);
    assert.deepEqual([error, count, started, statuses], ['unreachable', 3, 0, { NOT_STARTED: 3 }]);
    assert.deepEqual([hint, report], ['run the same command again', reportPath('away')]);
  });

  it("role-build batch goes on if its report can't grow, and prints the lines that the report lacks", async () => {
    const file = await write('full.ndjson', lines('full', 8));
    // No file may be larger than 1,024 bytes.
    const limited = [
      '-c',
      'ulimit -f 1; exec "$@"',
      'sh',
      process.execPath,
      PROGRAMS.client,
      ...args(file, 'full', '--wait'),
    ];
    const { code, stdout, stderr } = await new Promise<CliResult>((resolve) => {
      const env = { PATH: process.env['PATH'], ...on.stack.settings };
      execFile('bash', limited, { env }, (err, out, errors) =>
        resolve({ code: err === null ? 0 : Number(err.code), stdout: out, stderr: errors }),
      );
    });
    assert.equal(code, 5, stderr);
    assert.match(
      stderr,
      /^role-build: the report \S+ can't be written any more: EFBIG, file too large; the batch goes on/m,
    );
    assert.doesNotMatch(stderr, /^\s+at /m);
    assert.deepEqual((JSON.parse(stdout) as Given)['statuses'], { COMPLETE: 8 });
    assert.deepEqual(
      [...postsOf('full').values()],
      Array.from({ length: 8 }, () => 1),
    );
    const printed = stderr
      .split('\n')
      .flatMap((text) => (text.startsWith('{') ? [JSON.parse(text) as ReportLine] : []));
    const all = [...(await readReport('full')), ...printed].map(({ line: number }) => number);
    assert.deepEqual(
      all.sort((a, b) => a - b),
      [1, 2, 3, 4, 5, 6, 7, 8],
    );
  });
});
