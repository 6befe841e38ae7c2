import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { describe, it } from 'node:test';
import { encrypt } from '../../src/encryption/format.ts';
import { newKey } from './keys.ts';
import { codecWith, copyOf, encryptedBy, HERE, refusal, VALUE, valueOf } from './payloads.ts';

describe('an encrypted payload is refused', () => {
  const [a, b] = [newKey('a'), newKey('b')];
  const codec = codecWith({ localKeys: [a, b], required: true });
  it('an encrypted payload is refused with any bit of its data or its metadata flipped', async () => {
    const original = await encryptedBy(codec);
    const names = Object.keys(original.metadata ?? {});
    assert.equal(names.length, 7);
    for (const name of [...names, 'data']) {
      const { length } = name === 'data' ? copyOf(original).data : (copyOf(original).metadata[name] as Buffer);
      for (let at = 0; at < length; at += 1) {
        const turned = copyOf(original);
        const bytes = name === 'data' ? turned.data : (turned.metadata[name] as Buffer);
        bytes[at] = (bytes[at] as number) ^ (1 << (at % 8));
        await refusal(codec, turned, HERE);
        // Also by a reader that does not know the workflow.
        await refusal(codec, turned);
      }
    }
    assert.deepEqual((await codec.decode([copyOf(original)], HERE)).map(valueOf), [VALUE]);
  });

  it('an encrypted payload is refused if it is cut short anywhere, or has bytes appended', async () => {
    const original = await encryptedBy(codec);
    const { data, metadata } = copyOf(original);
    for (let end = 0; end < data.length; end += 1) {
      await refusal(codec, { metadata, data: data.subarray(0, end) }, HERE);
      await refusal(codec, { metadata, data: data.subarray(data.length - end) }, HERE);
    }
    await refusal(codec, { metadata, data: Buffer.concat([data, Buffer.alloc(1)]) }, HERE);
    await refusal(codec, { metadata }, HERE);
    await refusal(codec, { metadata, data: null }, HERE);
  });

  it('an encrypted payload is refused with metadata left out, empty, longer, huge, added, or of another payload', async () => {
    const [original, other] = [await encryptedBy(codec), copyOf(await encryptedBy(codec))];
    for (const name of Object.keys(original.metadata ?? {})) {
      const value = copyOf(original).metadata[name] as Buffer;
      const others = other.metadata[name] as Buffer;
      const wrong = [
        undefined,
        '',
        value.subarray(1),
        Buffer.concat([value, value]),
        Buffer.alloc(2_000_000, 'x'),
        others,
      ];
      for (const one of wrong.filter((bytes) => bytes === undefined || !value.equals(Buffer.from(bytes)))) {
        const changed = copyOf(original);
        if (one === undefined) delete changed.metadata[name];
        else changed.metadata[name] = Buffer.from(one);
        const message = await refusal(codec, changed, HERE);
        assert.ok(message.length < 500, `${name}: ${message.length} characters`);
      }
    }
    for (const name of ['encryption-data-key', 'x', '', '__proto__']) {
      const changed = copyOf(original);
      Object.defineProperty(changed.metadata, name, { value: Buffer.from('x'), enumerable: true });
      await refusal(codec, changed, HERE);
    }
  });

  it('an encrypted payload is refused under the name of another key, even if that key is given too', async () => {
    const changed = copyOf(await encryptedBy(codec));
    changed.metadata['encryption-key-id'] = Buffer.from('b');
    assert.match(await refusal(codec, changed, HERE), /with the key "b": .* is different, or the payload was changed/);
  });

  it('an encrypted payload is refused in an unknown format', async () => {
    for (const version of ['', '0', '2', '1.0', ' 1']) {
      const changed = copyOf(await encryptedBy(codec));
      changed.metadata['encryption-format'] = Buffer.from(version);
      assert.match(await refusal(codec, changed, HERE), /in an unknown format/);
    }
  });

  it('an encrypted payload is refused if its content is not a payload, which only a holder of the key can make', async () => {
    const header = { keyId: 'a', wrappedKey: undefined, namespace: HERE.namespace, workflowId: HERE.workflowId };
    const garbage = encrypt(Buffer.from([0xff, 0xff]), header, createSecretKey(a.key));
    await refusal(codec, garbage, HERE);
  });
});
