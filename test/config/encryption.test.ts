import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { readEncryptionSettings, SettingsError, type Environment } from '../../src/config/settings.ts';
import { keysText, newKey } from '../encryption/keys.ts';

const folder = mkdtempSync(join(tmpdir(), 'keys-'));
after(() => rmSync(folder, { recursive: true }));

function file(text: string | Buffer): string {
  const path = join(folder, `${Math.random()}`);
  writeFileSync(path, text);
  return path;
}

function faultsOf(env: Environment): string {
  try {
    readEncryptionSettings(env);
  } catch (err) {
    assert.ok(err instanceof SettingsError);
    return err.faults.join('\n');
  }
  assert.fail('the settings were taken');
}

const [a, b] = [newKey('2026-01'), newKey('b_2.x')];
const base64 = Buffer.from(a.key).toString('base64');
const ARN = 'arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab';
const MULTI_REGION_ARN = 'arn:aws-us-gov:kms:us-gov-east-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab';

describe('encryption', () => {
  it('encryption is off if nothing is set', () => {
    assert.deepEqual(readEncryptionSettings({}), { required: false });
  });

  it('encryption has the keys of ENCRYPTION_KEYS, in their order', () => {
    assert.deepEqual(readEncryptionSettings({ ENCRYPTION_KEYS: keysText(a, b) }).localKeys, [a, b]);
    const urlSafe = `n:${Buffer.from(a.key).toString('base64url')}`;
    assert.deepEqual(readEncryptionSettings({ ENCRYPTION_KEYS: urlSafe }).localKeys, [{ ...a, name: 'n' }]);
  });

  it('encryption has the keys of a file, one a line, with comments', () => {
    const text = `# the new one\n${keysText(a)} # from January on\n\r\n  ${keysText(b)}\r\n`;
    assert.deepEqual(readEncryptionSettings({ ENCRYPTION_KEYS_FILE: file(text) }).localKeys, [a, b]);
  });

  it('encryption has the keys of a file with a byte order mark, and refuses one that is not UTF-8', () => {
    const text = `\uFEFF${keysText(a)} # für Renée\n`;
    assert.deepEqual(readEncryptionSettings({ ENCRYPTION_KEYS_FILE: file(text) }).localKeys, [a]);
    const faults = (bytes: Buffer) => faultsOf({ ENCRYPTION_KEYS_FILE: file(bytes) });
    assert.match(
      faults(Buffer.from(`#\n# für ${keysText(a)}`, 'latin1')),
      /^ENCRYPTION_KEYS_FILE names a file that is not text: line 2, byte 4: 0xFC is not UTF-8; save it as UTF-8$/,
    );
    assert.match(
      faults(Buffer.from(text, 'utf16le')),
      /not text: line 1, byte 1: 0xFF, as in UTF-16; save it as UTF-8$/,
    );
  });

  it('encryption has KMS keys before local ones', () => {
    const settings = readEncryptionSettings({
      ENCRYPTION_KMS_KEY_ARNS: `${ARN}, ${MULTI_REGION_ARN}`,
      ENCRYPTION_KEYS: keysText(a),
    });
    assert.deepEqual(settings, { kmsKeyArns: [ARN, MULTI_REGION_ARN], localKeys: [a], required: false });
  });

  it('encryption can be required', () => {
    assert.equal(readEncryptionSettings({ ENCRYPTION_KEYS: keysText(a), ENCRYPTION_REQUIRED: 'true' }).required, true);
    assert.match(faultsOf({ ENCRYPTION_REQUIRED: 'true' }), /^ENCRYPTION_REQUIRED needs ENCRYPTION_KMS_KEY_ARNS/);
    assert.match(faultsOf({ ENCRYPTION_REQUIRED: 'yes' }), /^ENCRYPTION_REQUIRED must be true or false/);
  });

  it('encryption reads its local keys from one place only', () => {
    const both = { ENCRYPTION_KEYS: keysText(a), ENCRYPTION_KEYS_FILE: file(keysText(b)) };
    assert.match(faultsOf(both), /can not both be set/);
  });
});

describe('invalid keys', () => {
  for (const [what, text] of [
    ['no name', `:${base64}`],
    ['no colon', base64],
    ['a name with a space', `a b:${base64}`],
    ['a name that is too long', `${'n'.repeat(65)}:${base64}`],
    ['16 bytes', `n:${Buffer.alloc(16, 7).toString('base64')}`],
    ['33 bytes', `n:${Buffer.alloc(33, 7).toString('base64')}`],
    ['hexadecimal', `n:${Buffer.from(a.key).toString('hex')}`],
    ['a good one before it', `${keysText(b)},n:${base64.slice(1)}`],
    ['two colons', `n:${base64}:x`],
  ] as const) {
    it(`invalid keys are refused, and never printed: ${what}`, () => {
      for (const faults of [faultsOf({ ENCRYPTION_KEYS: text }), faultsOf({ ENCRYPTION_KEYS_FILE: file(text) })]) {
        assert.match(faults, /^ENCRYPTION_KEYS(_FILE)? must hold NAME:KEY.*; entry [12] is none$/);
        for (const part of text.split(/[,:]/).filter((one) => one.length > 15)) assert.ok(!faults.includes(part));
      }
    });
  }

  it('invalid keys are refused: an empty list, or a name twice', () => {
    assert.match(faultsOf({ ENCRYPTION_KEYS: ' , ' }), /must hold at least one/);
    assert.match(faultsOf({ ENCRYPTION_KEYS_FILE: file('# none yet\n') }), /must hold at least one/);
    assert.match(faultsOf({ ENCRYPTION_KEYS: keysText(a, b, newKey(a.name)) }), /same name in entries 1 and 3/);
    assert.match(faultsOf({ ENCRYPTION_KEYS: keysText(a, { ...a, name: 'x' }) }), /same key in entries 1 and 2/);
  });

  it('invalid keys are refused if the file is missing, without its name: it may be a key by mistake', () => {
    assert.equal(
      faultsOf({ ENCRYPTION_KEYS_FILE: base64 }),
      "ENCRYPTION_KEYS_FILE names a file that can't be read (ENOENT)",
    );
    assert.match(faultsOf({ ENCRYPTION_KEYS_FILE: folder }), /can't be read \(EISDIR\)/);
  });

  for (const arn of [
    'arn:aws:kms:eu-west-1:123456789012:alias/builds',
    '1234abcd-12ab-34cd-56ef-1234567890ab',
    'alias/builds',
    'arn:aws:s3:::bucket',
    `${ARN},${ARN}`,
    ',',
  ]) {
    it(`invalid keys are refused from KMS: ${arn}`, () =>
      assert.match(faultsOf({ ENCRYPTION_KMS_KEY_ARNS: arn }), /^ENCRYPTION_KMS/));
  }
});
