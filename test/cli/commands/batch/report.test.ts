/** Where a report may be written, and what counts as a report. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { linkSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { readFailedRequests, Report } from '../../../../src/cli/commands/batch/report.ts';
import { CliError } from '../../../../src/cli/errors/cli-error.ts';

const folder = mkdtempSync(join(tmpdir(), 'batch-report-'));
after(() => rmSync(folder, { recursive: true }));

const at = (name: string) => join(folder, name);
const write = (name: string, content: string | Buffer) => {
  writeFileSync(at(name), content);
  return at(name);
};
const EARLIER = '{"line":1,"correlation_id":"a","job_id":"j","status":"FAILED"}\n{"line":2,"status":"INVALID"}\n';
const NOW = '{"line":1,"status":"COMPLETE"}\n';
const create = (path: string, read: string[] = []) =>
  new Report(
    path,
    read.map((one) => statSync(one, { bigint: true })),
    () => assert.fail('it was not written'),
  );
const writeOne = (path: string) => {
  const report = create(path);
  report.add({ line: 1, status: 'COMPLETE' });
  report.close();
};
const refusal = (message: RegExp) => (err: unknown) => {
  assert.ok(err instanceof CliError, `a crash: ${String(err)}`);
  assert.equal(err.reason, 'usage');
  assert.match(err.message, message);
  return true;
};

describe('a report', () => {
  it('a report is a new file, or replaces an earlier report, even one with a byte order mark, or an empty file', () => {
    for (const [name, before] of [
      ['new', undefined],
      ['earlier', EARLIER],
      ['with-mark', `\uFEFF${EARLIER}`],
      ['empty', ''],
    ] as const) {
      if (before !== undefined) write(name, before);
      writeOne(at(name));
      assert.equal(readFileSync(at(name), 'utf8'), NOW);
    }
    symlinkSync(write('elsewhere', EARLIER), at('link'));
    writeOne(at('link'));
    assert.equal(readFileSync(at('elsewhere'), 'utf8'), NOW);
  });

  it('a report is never written over a file that is no report', () => {
    for (const [name, content] of [
      ['input.ndjson', '{"build_body":{},"status":"FAILED"}\n'],
      ['roles.csv', 'line,status\n1,FAILED\n'],
      ['list', '[1]\n'],
      ['odd-status', '{"line":1,"status":"toString"}\n'],
      ['odd-line', '{"line":"1","status":"FAILED"}\n'],
      ['null', 'null\n'],
      ['blank', '\n'],
      ['binary', Buffer.alloc(2_000_000, 0xff)],
      ['half', EARLIER.slice(0, 20)],
    ] as const) {
      const path = write(name, content);
      assert.throws(() => create(path), refusal(/exists and is not a batch report, so it was not changed$/), name);
      assert.deepEqual(readFileSync(path), Buffer.from(content), name);
    }
  });

  it('a report is never written over the input, by whatever name, even if that looks like a report', () => {
    const read = write('read', EARLIER);
    linkSync(read, at('hard-link'));
    symlinkSync(read, at('symbolic-link'));
    for (const name of ['read', 'hard-link', 'symbolic-link']) {
      assert.throws(() => create(at(name), [read]), refusal(/would overwrite a file that the batch reads$/), name);
    }
    assert.equal(readFileSync(read, 'utf8'), EARLIER);
  });

  it("a report is refused at once if its name is a pipe's, a device's or a folder's, or leads nowhere", () => {
    execFileSync('mkfifo', [at('pipe')]);
    symlinkSync(at('nowhere'), at('dangling'));
    for (const path of [at('pipe'), '/dev/null', '/dev/full']) {
      assert.throws(() => create(path), refusal(/is not a batch report, so it was not changed$/), path);
    }
    assert.throws(() => create(folder), refusal(/^the report can't be written: EISDIR/));
    assert.throws(() => create(at('dangling')), refusal(/^the report can't be written: ENOENT/));
    assert.throws(() => create(join(folder, 'missing', 'x')), refusal(/^the report can't be written: ENOENT/));
  });

  it('a report has each line as soon as its outcome is known', () => {
    const report = create(at('killed'));
    report.add({ line: 1, status: 'COMPLETE' });
    assert.equal(readFileSync(at('killed'), 'utf8'), NOW);
    report.close();
  });
});

describe('a line of a report that names no request', () => {
  it('a line of a report that names no request is run again by its number if it failed', async () => {
    writeFileSync(at('unnamed'), '{"line":3,"status":"FAILED"}\n{"line":4,"status":"COMPLETE"}\n');
    const { jobs, lines } = await readFailedRequests(at('unnamed'));
    assert.deepEqual([[...jobs], [...lines]], [[], [3]]);
  });
});

describe('a report that another program writes to', () => {
  it('a report that another program writes to is incomplete, and the batch says so', () => {
    const said: string[] = [];
    const report = new Report(at('shared'), [], (text) => said.push(text));
    report.add({ line: 1, correlation_id: 'c', status: 'FAILED' });
    const other = new Report(at('shared'), [], () => undefined);
    other.close();
    report.close();
    assert.equal(report.isWhole, false);
    assert.match(said.join(), /another program has changed the report/);
    assert.equal(other.isWhole, true);
  });
});

describe('what --failed-from reads', () => {
  it('what --failed-from reads is a report, which may have a byte order mark and end within a line', async () => {
    const failed = await readFailedRequests(write('failed', `\uFEFF${EARLIER}{"line":3,"stat`));
    assert.deepEqual([...failed.jobs], [['a', 'j']]);
    assert.deepEqual([...failed.lines], [2]);
    const { dev, ino } = statSync(at('failed'), { bigint: true });
    assert.deepEqual([failed.identity.dev, failed.identity.ino], [dev, ino]);
  });

  it('what --failed-from reads is refused if it is not a report, is empty or is not UTF-8', async () => {
    const refused = async (content: string | Buffer, message: RegExp) =>
      assert.rejects(readFailedRequests(write('refused', content)), refusal(message));
    await refused(`${EARLIER}oops\n${EARLIER}`, /is not a batch report: see its line 3$/);
    await refused('oops', /is not a batch report: see its line 1$/);
    await refused('', /is empty/);
    await refused(Buffer.from(`${EARLIER}{"line":3,"error":"Renée"}`, 'latin1'), /line 3, byte 23: 0xE9 is not UTF-8/);
    writeFileSync(at('odd-status'), '{"line":1,"status":["FAILED"],"correlation_id":"c"}\n');
    await assert.rejects(readFailedRequests(at('odd-status')), refusal(/is not a batch report: see its line 1$/));
    await assert.rejects(readFailedRequests(folder), refusal(/^the report can't be read: EISDIR/));
    await assert.rejects(readFailedRequests(at('none')), refusal(/^the report can't be read: ENOENT/));
  });
});
