/** How the command line reads text from files, pipes and stdin. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, describe, it } from 'node:test';
import { CliError } from '../../../src/cli/errors/cli-error.ts';
import { credentialFile, readInput } from '../../../src/cli/input/read-input.ts';
import { createOutput } from '../../../src/cli/terminal/output.ts';
import { readText } from '../../../src/cli/input/text-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'text-'));
after(() => rmSync(folder, { recursive: true }));

const write = (name: string, content: string | Buffer) => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const none = Readable.from([]);
const output = createOutput({ stdout: process.stdout, stderr: process.stderr });
const refusal = (message: RegExp) => (err: unknown) => {
  assert.ok(err instanceof CliError, `a crash: ${String(err)}`);
  assert.equal(err.reason, 'usage');
  assert.match(err.message, message);
  return true;
};
const latin1 = Buffer.from('{"a":\n"Renée"}', 'latin1');

describe('a text that the command line reads', () => {
  it('a text that the command line reads may have a byte order mark, be it an input or a credential', async () => {
    const input = write('bom.json', '\uFEFF{"build_body": 1}');
    await assert.rejects(readInput({ input }, {}, none, output), refusal(/build_body: must be an object/));
    assert.equal(await credentialFile({ encryptedJwtFile: write('jwt', '\uFEFFtoken\r\n') }, none, output), 'token');
    assert.equal(
      await credentialFile({ encryptedJwtFile: '-' }, Readable.from([Buffer.from('\uFEFFtoken\n')]), output),
      'token',
    );
  });

  it('a text that the command line reads is refused with its file, line and byte if it is not UTF-8', async () => {
    const path = write('latin-1.json', latin1);
    const fault = 'line 2, byte 5: 0xE9 is not UTF-8; save it as UTF-8$';
    await assert.rejects(readText(path, none, 'the input'), refusal(new RegExp(`latin-1.json: ${fault}`)));
    await assert.rejects(readText('-', Readable.from([latin1]), 'the input'), refusal(new RegExp(`^stdin: ${fault}`)));
    const utf16 = write('utf-16.json', Buffer.from('\uFEFF{}', 'utf16le'));
    await assert.rejects(
      readText(utf16, none, 'the input'),
      refusal(/utf-16.json: line 1, byte 1: 0xFF, as in UTF-16/),
    );
  });

  it('a text that the command line reads may come by a pipe', async () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const text = readText(pipe, none, 'the input');
    await writeFile(pipe, 'é');
    assert.equal(await text, 'é');
  });

  it('a text that the command line reads is refused in one line if it is a folder, is missing or never ends', async () => {
    await assert.rejects(
      readText(folder, none, 'the input'),
      refusal(/^the input can't be read from .*: EISDIR, [^\n]*$/),
    );
    const missing = join(folder, 'my-credential');
    await assert.rejects(
      readText(missing, none, 'the credential'),
      refusal(/^the credential can't be read from the file that is named: ENOENT, no such file or directory$/),
    );
    await assert.rejects(readText('/dev/zero', none, 'the input'), refusal(/longer than 16777216 bytes/));
  });
});
