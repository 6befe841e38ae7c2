/** The lines of a batch, and the files that they are read from. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { after, describe, it } from 'node:test';
import { openSource, type Source } from '../../../../src/cli/commands/batch/source.ts';
import { CliError } from '../../../../src/cli/errors/cli-error.ts';

const folder = mkdtempSync(join(tmpdir(), 'batch-source-'));
after(() => rmSync(folder, { recursive: true }));

let files = 0;
const write = (extension: string, content: string | Buffer) => {
  const path = join(folder, `${(files += 1)}${extension}`);
  writeFileSync(path, content);
  return path;
};
const none = Readable.from([]);
const open = (path: string) => openSource(path, undefined, none);
const refusal =
  (message: RegExp, reason = 'usage') =>
  (err: unknown) => {
    assert.ok(err instanceof CliError, `a crash: ${String(err)}`);
    assert.equal(err.reason, reason);
    assert.match(err.message, message);
    return true;
  };
async function read(source: Source): Promise<string[]> {
  return (await Array.fromAsync(source.lines())).map(
    ({ number, given, faults }) => `${number} ${JSON.stringify(given ?? faults)}`,
  );
}
async function readOnce(path: string): Promise<string[]> {
  const source = await open(path);
  try {
    return await read(source);
  } finally {
    source.close();
  }
}
const csv = (rows: string) => Buffer.from(`account,role,build_body.owner\n${rows}`, 'latin1');

describe('the lines of a batch', () => {
  it('the lines of a batch may have a byte order mark, and characters that are split by two reads', async () => {
    const row = `{"a":"${'é'.repeat(50_000)}"}`;
    for (const pad of ['', ' ']) {
      const lines = await readOnce(write('.ndjson', `\uFEFF${pad}${row}\n${row}\n`));
      assert.deepEqual(lines, [`1 ${row}`, `2 ${row}`]);
    }
    assert.deepEqual(await readOnce(write('.ndjson', '\uFEFF{"a":1}\n\uFEFF{"a":2}')), ['1 {"a":1}', '2 {"a":2}']);
    const [line] = await readOnce(write('.csv', `\uFEFFrole,build_body.owner\nx,"${'é'.repeat(50_000)}"\n`));
    assert.ok(line?.includes(`"owner":"${'é'.repeat(50_000)}"`));
  });

  it('the lines of a batch are refused with file, line and byte if they are not UTF-8', async () => {
    await assert.rejects(
      readOnce(write('.csv', csv('1,x,y\n1,z,Renée\n'))),
      refusal(/^\d+\.csv: line 3, byte 8: 0xE9 is not UTF-8; save it as UTF-8$/),
    );
    await assert.rejects(
      readOnce(write('.ndjson', Buffer.from('{}\n{"a":"Renée"}\n', 'latin1'))),
      refusal(/^\d+\.ndjson: line 2, byte 10: 0xE9 is not UTF-8/),
    );
    for (const extension of ['.csv', '.ndjson']) {
      const text = '\uFEFFrole\nx\n';
      await assert.rejects(readOnce(write(extension, Buffer.from(text, 'utf16le'))), refusal(/0xFF, as in UTF-16/));
    }
    await assert.rejects(readOnce(write('.csv', 'role\nx\0y\n')), refusal(/line 2, byte 2: 0x00, as in UTF-16/));
  });

  it('the lines of a batch of CSV are refused with their number if a quote is stray or never closed', async () => {
    await assert.rejects(readOnce(write('.csv', 'role\nx\ny"z\n')), refusal(/^line 3: \(line\): is not CSV: /));
    await assert.rejects(readOnce(write('.csv', 'role\nx\n"y\n')), refusal(/^line \d: \(line\): is not CSV: /));
    await assert.rejects(readOnce(write('.csv', `role\n"${'x'.repeat(5_000_000)}`)), refusal(/is not CSV: /));
  });

  it('the lines of a batch of CSV may end in CR alone, and have headers of any name but those of inherited properties', async () => {
    assert.equal((await readOnce(write('.csv', 'role\rx\ry\r'))).length, 2);
    for (const name of ['constructor', 'toString', '__proto__', 'build_body.']) {
      await assert.rejects(readOnce(write('.csv', `role,${name}\nx,y\n`)), refusal(/is not a column/));
    }
    const [line] = await readOnce(write('.csv', 'role,build_body.__proto__\nx,y\n'));
    assert.match(line ?? '', /"__proto__":"y"/);
  });

  it("the lines of a batch of CSV have build_body's keys as the header spells them, whatever the case of the prefix", async () => {
    for (const prefix of ['build_body', 'Build_Body', 'BUILD-BODY']) {
      const [line] = await readOnce(write('.csv', `Role,${prefix}.Cost-Center,${prefix}.dry_run\nx,y,true\n`));
      assert.match(line ?? '', /"dry_run":true,"custom_role_name":"x","Cost-Center":"y"/);
    }
  });

  it('the lines of a batch are the same at the second reading, or the batch stops before it starts an unchecked one', async () => {
    const rows = Array.from({ length: 10_000 }, (_, i) => `{"i":${i}}\n`).join('');
    const changes: Record<string, (path: string) => void> = {
      emptied: (path) => truncateSync(path),
      shortened: (path) => truncateSync(path, rows.length - 100),
      lengthened: (path) => appendFileSync(path, '{"i":"new"}\n'),
      'written anew': (path) => writeFileSync(path, rows.replace('{"i":9999}', '{"i":99999}')),
    };
    for (const [what, change] of Object.entries(changes)) {
      const path = write('.ndjson', rows);
      const source = await open(path);
      const first = await read(source);
      await source.mustBeUnchanged();
      assert.deepEqual(await read(source), first);
      change(path);
      await assert.rejects(
        source.mustBeUnchanged(),
        refusal(/has changed since it was checked, so nothing was started/),
        what,
      );
      const again: string[] = [];
      await assert.rejects(
        async () => {
          for await (const { number, given } of source.lines()) again.push(`${number} ${JSON.stringify(given)}`);
        },
        refusal(/has changed since it was checked, so no more of it is started/),
      );
      assert.deepEqual(again, first.slice(0, again.length), what);
      source.close();
    }
  });

  it('the lines of a batch are refused if another file has replaced the one that was checked', async () => {
    const path = write('.ndjson', '{}\n');
    const source = await open(path);
    await read(source);
    renameSync(write('.ndjson', '{}\n'), path);
    await assert.rejects(source.mustBeUnchanged(), refusal(/has changed/));
    source.close();
  });
});

describe('a batch that can be read only once', () => {
  it('a batch that can be read only once, from stdin or a pipe, is kept in a file that nobody else can open', async () => {
    const kept = mkdtempSync(join(folder, 'tmp-'));
    const before = process.env['TMPDIR'];
    process.env['TMPDIR'] = kept;
    try {
      const stdin = new PassThrough();
      stdin.write('{"a":1}\n');
      const opening = openSource('-', undefined, stdin);
      const pipe = join(folder, 'pipe.ndjson');
      execFileSync('mkfifo', [pipe]);
      execFile('sh', ['-c', `printf '{"a":1}\n{"a":2}\n' > ${pipe}`]);
      const byPipe = await open(pipe);
      assert.deepEqual(readdirSync(kept), []);
      stdin.end('{"a":2}\n');
      for (const source of [await opening, byPipe]) {
        for (let time = 1; time <= 2; time += 1) {
          assert.deepEqual(await read(source), ['1 {"a":1}', '2 {"a":2}']);
          await source.mustBeUnchanged();
        }
        source.close();
      }
      assert.deepEqual(readdirSync(kept), []);
    } finally {
      if (before === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = before;
    }
  });

  it("a batch that can be read only once is refused in one line that says what is missing if it can't be kept", async () => {
    const before = process.env['TMPDIR'];
    process.env['TMPDIR'] = join(folder, 'missing');
    try {
      await assert.rejects(
        openSource('-', undefined, Readable.from([Buffer.from('{}')])),
        refusal(/it can't be copied to \S+\/missing: ENOENT, no such file or directory$/, 'unreachable'),
      );
    } finally {
      if (before === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = before;
    }
  });

  it('a batch that can be read only once is refused if it is a folder', async () => {
    await assert.rejects(openSource(folder, 'csv', none), refusal(/^the batch can't be read: EISDIR/));
  });
});
