import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Payload, SerializationContext } from '@temporalio/common';
import proto from '@temporalio/proto';
import { EncryptionCodec } from '../../src/encryption/codec.ts';
import type { LocalKey } from '../../src/config/encryption.ts';
import { newKey } from './keys.ts';
import { codecWith, encryptedBy, HERE, payloadOf, refusal, SECRET, VALUE, valueOf } from './payloads.ts';

const [a, b] = [newKey('a'), newKey('b')];
const codecOf = (...localKeys: LocalKey[]) => codecWith({ localKeys });
const encrypted = (codec = codecOf(a), context?: SerializationContext) => encryptedBy(codec, context);

/** The payload as Temporal stores it. */
const sizeOf = (payload: Payload) => proto.temporal.api.common.v1.Payload.encode(payload).finish().length;

describe('an encrypted payload', () => {
  it('an encrypted payload is decrypted unchanged, with its metadata', async () => {
    const payloads = [payloadOf(VALUE), payloadOf(undefined), payloadOf(new Uint8Array([1, 2])), payloadOf('')];
    const codec = codecOf(a);
    const encoded = await codec.encode(payloads, HERE);
    assert.deepEqual((await codec.decode(encoded, HERE)).map(valueOf), [VALUE, undefined, new Uint8Array([1, 2]), '']);
    const original: Payload = {
      metadata: { encoding: Buffer.from('x/y'), more: Buffer.from('z') },
      data: Buffer.of(1),
    };
    const [again] = await codec.decode(await codec.encode([original], HERE), HERE);
    assert.deepEqual(Object.keys(again?.metadata ?? {}), ['encoding', 'more']);
    assert.deepEqual([...(again?.data ?? [])], [1]);
  });

  it('an encrypted payload shows its encoding, its key and its context, and nothing else', async () => {
    const { metadata, data } = await encrypted();
    const { 'encryption-salt': salt, 'encryption-commitment': commitment, ...texts } = metadata ?? {};
    assert.deepEqual([salt?.length, commitment?.length], [32, 32]);
    assert.deepEqual(Object.fromEntries(Object.entries(texts).map(([name, value]) => [name, String(value)])), {
      encoding: 'binary/encrypted',
      'encryption-format': '1',
      'encryption-key-id': 'a',
      'temporal-namespace': 'default',
      'temporal-workflow-id': HERE.workflowId,
    });
    const bytes = Buffer.from(data as Uint8Array).toString('latin1');
    for (const text of [SECRET, 'canary', 'custom_role_name', 'json/plain', 'role-build']) {
      assert.ok(!bytes.includes(text), text);
    }
  });

  it('an encrypted payload is never the same twice', async () => {
    const codec = codecOf(a);
    const [one, other] = await codec.encode([payloadOf(VALUE), payloadOf(VALUE)], HERE);
    assert.notDeepEqual(one?.data, other?.data);
  });

  it('an encrypted payload is 328 bytes longer than what it holds, however long that is', async () => {
    for (const size of [0, 1_000, 100_000, 1_500_000]) {
      const payload = payloadOf('x'.repeat(size));
      const [encoded] = await codecOf({ ...a, name: '2026-01' }).encode([payload], {
        ...HERE,
        workflowId: 'role-build:123456789012:iam_role#data-reader',
      });
      const more = sizeOf(encoded as Payload) - sizeOf(payload);
      assert.ok(more >= 326 && more <= 332, `${size}: ${more}`);
    }
  });
});

describe("a payload's context", () => {
  const elsewhere: [string, SerializationContext, RegExp][] = [
    ['another workflow', { ...HERE, workflowId: 'role-build:1:b' }, /encrypted for another workflow/],
    ['another namespace', { ...HERE, namespace: 'other' }, /for the namespace "default" and found in "other"/],
    [
      'an activity of another workflow',
      { type: 'activity', namespace: 'default', workflowId: 'x', isLocal: false },
      /another workflow/,
    ],
  ];
  for (const [where, context, message] of elsewhere) {
    it(`a payload's context is authenticated: it is not decrypted in ${where}`, async () => {
      assert.match(await refusal(codecOf(a), await encrypted(), context), message);
    });
  }

  it("a payload's context is the workflow, not the activity: the command line reads an activity's result in the history", async () => {
    const activity: SerializationContext = { ...HERE, type: 'activity', activityId: '7', isLocal: true };
    const [decoded] = await codecOf(a).decode([await encrypted(codecOf(a), activity)], HERE);
    assert.deepEqual(valueOf(decoded as Payload), VALUE);
  });

  it("a payload's context is the namespace alone if the SDK names no workflow; such a payload is not decrypted as a workflow’s", async () => {
    const codec = codecOf(a);
    const [payload] = await codec.encode([payloadOf(VALUE)]);
    assert.deepEqual((await codec.decode([payload as Payload])).map(valueOf), [VALUE]);
    assert.match(await refusal(codec, payload as Payload, HERE), /another workflow/);
    assert.match(await refusal(new EncryptionCodec({ localKeys: [a] }, 'other'), payload as Payload), /namespace/);
  });

  it("a payload's context is checked for its namespace by the codec server, which does not know the workflow", async () => {
    const asked: SerializationContext = { type: 'activity', namespace: 'default', isLocal: false };
    assert.equal((await codecOf(a).decode([await encrypted()], asked)).length, 1);
    assert.match(await refusal(codecOf(a), await encrypted(), { ...asked, namespace: 'other' }), /namespace/);
  });
});

describe('keys', () => {
  it('keys are rotated: the new one is put first, and payloads of the old one are still decrypted', async () => {
    const old = await encrypted(codecOf(a));
    for (const codec of [codecOf(b, a), codecOf(a, b)]) {
      assert.deepEqual((await codec.decode([old], HERE)).map(valueOf), [VALUE]);
    }
    const fresh = await encrypted(codecOf(b, a));
    assert.equal(Buffer.from(fresh.metadata?.['encryption-key-id'] ?? []).toString(), 'b');
    assert.deepEqual((await codecOf(b).decode([fresh], HERE)).map(valueOf), [VALUE]);
    assert.match(await refusal(codecOf(a), fresh, HERE), /with the key "b", which is not among the keys given here/);
  });

  it('keys may have names with the same beginning', async () => {
    const [short, long] = [newKey('key'), newKey('key-2')];
    const codec = codecOf(short, long);
    for (const one of [codecOf(short), codecOf(long)]) {
      assert.deepEqual((await codec.decode([await encrypted(one)], HERE)).map(valueOf), [VALUE]);
    }
  });

  it('keys that are missing are named in the error', async () => {
    assert.equal(
      await refusal(codecOf(b), await encrypted(), HERE),
      'the payload is encrypted with the key "a", which is not among the keys given here',
    );
    assert.match(
      await refusal(codecWith({}), await encrypted(), HERE),
      /key "a", which is not among the keys given here/,
    );
  });

  it('keys that differ under the same name are reported', async () => {
    assert.match(await refusal(codecOf(newKey('a')), await encrypted(), HERE), /key of that name is different/);
  });

  it("keys are in no message, and a payload's key name is escaped", async () => {
    const payload = await encrypted();
    const metadata = { ...payload.metadata, 'encryption-key-id': Buffer.from(`\u001b[31m\n${'x'.repeat(5_000)}`) };
    const message = await refusal(codecOf(b), { ...payload, metadata }, HERE);
    // oxlint-disable-next-line no-control-regex
    assert.doesNotMatch(message, /[\u0000-\u001f]/);
    assert.ok(message.length < 400);
    assert.ok(!message.includes(Buffer.from(b.key).toString('base64')));
  });

  it('keys are 32 bytes long, wherever they come from', () => {
    for (const length of [0, 16, 31, 33]) {
      const key = { name: 'short', key: new Uint8Array(length) };
      assert.throws(() => codecOf(key), /^Error: the key "short" is not 32 bytes long$/);
    }
  });

  it('keys are checked before a worker starts', async () => {
    assert.equal(await codecOf(b, a).check(), 'b');
    assert.equal(await codecWith({}).check(), undefined);
  });
});

describe('a payload that is not encrypted', () => {
  it('a payload that is not encrypted is read, as those from before encryption are', async () => {
    assert.deepEqual((await codecOf(a).decode([payloadOf(VALUE)], HERE)).map(valueOf), [VALUE]);
  });

  it('a payload that is not encrypted is refused if encryption is required', async () => {
    const codec = codecWith({ localKeys: [a], required: true });
    assert.match(await refusal(codec, payloadOf(VALUE), HERE), /not encrypted, and ENCRYPTION_REQUIRED/);
    assert.deepEqual((await codec.decode(await codec.encode([payloadOf(VALUE)], HERE), HERE)).map(valueOf), [VALUE]);
  });

  it('a payload that is not encrypted is written if there are no keys', async () => {
    const payloads = [payloadOf(VALUE)];
    assert.equal(await codecWith({}).encode(payloads, HERE), payloads);
  });
});
