import assert from 'node:assert/strict';
import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import type { Payload } from '@temporalio/common';
import { decrypt, encrypt, headerOf, isEncrypted } from '../../src/encryption/format.ts';
import { VECTORS, type Vector } from './vectors.ts';

const bytes = (base64: string) => new Uint8Array(Buffer.from(base64, 'base64'));
const base64 = (data: ArrayBuffer | Uint8Array) => Buffer.from(data as Uint8Array).toString('base64');
const keyOf = ({ data_key }: Vector) => createSecretKey(bytes(data_key));
const headerIn = ({ key_id, wrapped_key, namespace, workflow_id }: Vector) => ({
  keyId: key_id,
  wrappedKey: wrapped_key === undefined ? undefined : bytes(wrapped_key),
  namespace,
  workflowId: workflow_id,
});
const payloadIn = ({ payload }: Vector): Payload => ({
  metadata: Object.fromEntries(Object.entries(payload.metadata).map(([name, value]) => [name, bytes(value)])),
  data: bytes(payload.data),
});

describe('the format of an encrypted payload', () => {
  for (const vector of VECTORS) {
    it(`the format of an encrypted payload is the one of the test vector, byte by byte: ${vector.what}`, () => {
      const { salt, nonce, plaintext } = vector;
      const random = Buffer.concat([bytes(salt), bytes(nonce)]);
      const { metadata, data } = encrypt(bytes(plaintext), headerIn(vector), keyOf(vector), random);
      const encoded = Object.entries(metadata ?? {}).map(([name, value]) => [name, base64(value)] as const);
      assert.deepEqual(Object.fromEntries(encoded), vector.payload.metadata);
      assert.equal(base64(data as Uint8Array), vector.payload.data);
    });

    it(`the format of an encrypted payload is read: ${vector.what}`, () => {
      assert.ok(isEncrypted(payloadIn(vector)));
      assert.deepEqual(headerOf(payloadIn(vector)), headerIn(vector));
      assert.equal(base64(decrypt(payloadIn(vector), keyOf(vector))), vector.plaintext);
    });

    it(`the format of an encrypted payload is AES-256-GCM under a key by HKDF, as node:crypto alone has it: ${vector.what}`, () => {
      const derived = hkdfSync('sha512', bytes(vector.data_key), bytes(vector.salt), 'iam-orchestrator/payload/1', 64);
      assert.equal(base64(derived.slice(0, 32)), vector.message_key);
      assert.equal(base64(derived.slice(32)), vector.commitment);
      const data = Buffer.from(vector.payload.data, 'base64');
      assert.equal(base64(data.subarray(0, 12)), vector.nonce);
      const decipher = createDecipheriv('aes-256-gcm', bytes(vector.message_key), data.subarray(0, 12));
      decipher.setAAD(bytes(vector.additional_data)).setAuthTag(data.subarray(-16));
      const plaintext = Buffer.concat([decipher.update(data.subarray(12, -16)), decipher.final()]);
      assert.equal(base64(plaintext), vector.plaintext);
    });
  }

  it('the format of an encrypted payload has a new salt and nonce, and so a new key, in each payload', () => {
    const [vector] = VECTORS as [Vector];
    const some = Array.from({ length: 100 }, () => encrypt(bytes(vector.plaintext), headerIn(vector), keyOf(vector)));
    for (const part of [
      ({ metadata }: Payload) => base64(metadata?.['encryption-salt'] ?? new Uint8Array()),
      ({ metadata }: Payload) => base64(metadata?.['encryption-commitment'] ?? new Uint8Array()),
      ({ data }: Payload) => base64((data ?? new Uint8Array()).subarray(0, 12)),
    ]) {
      assert.equal(new Set(some.map(part)).size, 100);
    }
  });

  it('the format of an encrypted payload does not share memory between its commitment and its key, which come from one derivation', () => {
    const [vector] = VECTORS as [Vector];
    const random = Buffer.concat([bytes(vector.salt), bytes(vector.nonce)]);
    const { metadata } = encrypt(bytes(vector.plaintext), headerIn(vector), keyOf(vector), random);
    const around = Buffer.from(metadata?.['encryption-commitment']?.buffer ?? new ArrayBuffer());
    assert.notEqual(around.indexOf(bytes(vector.commitment)), -1);
    assert.equal(around.indexOf(bytes(vector.message_key)), -1);
  });
});

it('a ciphertext that AES-GCM opens under two keys is read under the key that it commits to, and no other', () => {
  const [ours, theirs] = [createSecretKey(randomBytes(32)), createSecretKey(randomBytes(32))];
  const header = { keyId: 'k', wrappedKey: undefined, namespace: 'default', workflowId: 'w' };
  const payload = encrypt(Buffer.alloc(32), header, ours);
  const salt = payload.metadata?.['encryption-salt'] as Uint8Array;
  const nonce = (payload.data as Uint8Array).subarray(0, 12);
  const additional = framed(payload.metadata as Record<string, Uint8Array>);
  const keys = [ours, theirs].map((key) =>
    Buffer.from(hkdfSync('sha512', key, salt, 'iam-orchestrator/payload/1', 64)),
  );
  const forged = openingUnderBoth(keys.map((key) => key.subarray(0, 32)) as [Buffer, Buffer], nonce, additional);
  for (const key of keys) {
    const decipher = createDecipheriv('aes-256-gcm', key.subarray(0, 32), nonce).setAAD(additional);
    decipher.setAuthTag(forged.subarray(-16)).update(forged.subarray(0, -16));
    assert.doesNotThrow(() => decipher.final(), 'the forgery is one');
  }
  const both = { ...payload, data: Buffer.concat([nonce, forged]) };
  assert.equal(decrypt(both, ours).length, 32);
  assert.throws(() => decrypt(both, theirs), /commits to another key/);
});

function framed(metadata: Record<string, Uint8Array>): Buffer {
  const frame = (part: Uint8Array) => Buffer.concat([Buffer.from([0, 0, 0, part.length]), part]);
  return Buffer.concat(
    Object.keys(metadata)
      .sort()
      .flatMap((name) => [frame(Buffer.from(name)), frame(metadata[name] as Uint8Array)]),
  );
}

/** Returns two blocks and the tag; the second block makes the tag equal under both keys (https://eprint.iacr.org/2019/016). */
function openingUnderBoth(keys: [Buffer, Buffer], nonce: Uint8Array, additional: Buffer): Buffer {
  const padded = Buffer.concat([additional, Buffer.alloc((16 - (additional.length % 16)) % 16)]);
  const lengths = Buffer.alloc(16);
  lengths.writeUInt32BE(additional.length * 8, 4);
  lengths.writeUInt32BE(32 * 8, 12);
  const first = randomBytes(16);
  const sides = keys.map((key) => {
    const block = (input: Uint8Array) => fieldOf(createCipheriv('aes-256-ecb', key, null).update(input));
    const h = block(Buffer.alloc(16));
    /** Of all but the second block, as if that were zero. */
    let rest = 0n;
    for (let at = 0; at < padded.length; at += 16) rest = times(rest ^ fieldOf(padded.subarray(at, at + 16)), h);
    rest = times(times(rest ^ fieldOf(first), h), h);
    rest = times(rest ^ fieldOf(lengths), h) ^ block(Buffer.concat([nonce, Buffer.from([0, 0, 0, 1])]));
    return { weight: times(h, h), rest };
  });
  const [a, b] = sides as [(typeof sides)[0], (typeof sides)[0]];
  const second = times(a.rest ^ b.rest, inverse(a.weight ^ b.weight));
  return Buffer.concat([first, blockOf(second), blockOf(times(second, a.weight) ^ a.rest)]);
}

const fieldOf = (block: Uint8Array) => BigInt(`0x${Buffer.from(block).toString('hex')}`);
const blockOf = (element: bigint) => Buffer.from(element.toString(16).padStart(32, '0'), 'hex');

/** In GCM's field, whose first bit is the lowest power. */
function times(x: bigint, y: bigint): bigint {
  let product = 0n;
  for (let bit = 127n; bit >= 0n; bit -= 1n) {
    if ((x >> bit) & 1n) product ^= y;
    y = y & 1n ? (y >> 1n) ^ (0xe1n << 120n) : y >> 1n;
  }
  return product;
}

/** x to the power of 2^128 - 2. */
function inverse(x: bigint): bigint {
  let result = 1n << 127n;
  let power = x;
  for (let i = 1; i < 128; i += 1) {
    power = times(power, power);
    result = times(result, power);
  }
  return result;
}
