/** Checks that deploy/encryption/decrypt.py can read our payloads. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import proto from '@temporalio/proto';
import { newKey } from '../../encryption/keys.ts';
import { codecWith, encryptedBy, HERE, payloadOf, VALUE } from '../../encryption/payloads.ts';
import { VECTORS } from '../../encryption/vectors.ts';
import { CRYPTOGRAPHY, pythonPackages } from '../python-packages.ts';

const TIMEOUT_MS = 5 * 60_000;
const run = promisify(execFile);
const { Payload } = proto.temporal.api.common.v1;

const program = readFileSync(new URL('../../../deploy/encryption/decrypt.py', import.meta.url), 'utf8');

describe('deploy/encryption/decrypt.py', () => {
  let packages: string;
  before(async () => {
    packages = await pythonPackages(CRYPTOGRAPHY);
  });

  async function read(payload: unknown, dataKey: string): Promise<string> {
    const env = { PATH: process.env['PATH'], PYTHONPATH: packages, DATA_KEY: dataKey };
    const child = run('python3', ['-c', program], { env, timeout: TIMEOUT_MS, maxBuffer: 4 * 2 ** 20 });
    child.child.stdin?.end(JSON.stringify(payload));
    return (await child).stdout;
  }

  for (const { what, payload, plaintext, data_key } of VECTORS) {
    it(`deploy/encryption/decrypt.py reads the test vector: ${what}`, async () => {
      const { data } = Payload.decode(Buffer.from(plaintext, 'base64'));
      assert.equal(await read(payload, data_key), Buffer.from(data).toString());
    });
  }

  const key = newKey('a');
  const dataKey = Buffer.from(key.key).toString('base64');
  const jsonOf = (payload: object) => Payload.toObject(Payload.create(payload), { bytes: String });

  it('deploy/encryption/decrypt.py reads what the codec has just encrypted, including the largest input', async () => {
    const codec = codecWith({ localKeys: [key] });
    assert.deepEqual(JSON.parse(await read(jsonOf(await encryptedBy(codec)), dataKey)), VALUE);
    const large = 'x'.repeat(1_500_000);
    const [encrypted = {}] = await codec.encode([payloadOf(large)], HERE);
    assert.equal(JSON.parse(await read(jsonOf(encrypted), dataKey)), large);
  });

  it('deploy/encryption/decrypt.py refuses another key and a changed payload', async () => {
    const payload = jsonOf(await encryptedBy(codecWith({ localKeys: [key] }))) as { metadata: Record<string, string> };
    const other = Buffer.from(newKey('b').key).toString('base64');
    await assert.rejects(read(payload, other), /encrypted with another key/);
    const moved = { ...payload.metadata, 'temporal-workflow-id': Buffer.from('another').toString('base64') };
    await assert.rejects(read({ ...payload, metadata: moved }, dataKey), /InvalidTag/);
  });
});
