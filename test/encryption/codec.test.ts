import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { defaultPayloadConverter, type Payload, type SerializationContext } from '@temporalio/common';
import { EncryptionCodec } from '../../src/encryption/codec.ts';
import type { EncryptionSettings, LocalKey } from '../../src/encryption/settings.ts';
import { PayloadUnreadableError } from '../../src/encryption/unreadable.ts';
import { newKey } from './keys.ts';

const SECRET = 'canary-in-a-payload';
const VALUE = { build_body: { custom_role_name: SECRET }, encrypted_jwt: 'canary-credential' };
const HERE: SerializationContext = { type: 'workflow', namespace: 'default', workflowId: 'role-build:1:a' };

const [a, b] = [newKey('a'), newKey('b')];
const codecOf = (...localKeys: LocalKey[]) => codecWith({ localKeys });
const codecWith = (settings: EncryptionSettings) => new EncryptionCodec(settings, 'default');
const payloadOf = (value: unknown): Payload => defaultPayloadConverter.toPayload(value, undefined);
const valueOf = (payload: Payload): unknown => defaultPayloadConverter.fromPayload(payload);

async function encrypted(codec = codecOf(a), context: SerializationContext | undefined = HERE): Promise<Payload> {
  const [payload] = await codec.encode([payloadOf(VALUE)], context);
  return payload as Payload;
}

async function refusal(codec: EncryptionCodec, payload: Payload, context?: SerializationContext): Promise<string> {
  try {
    await codec.decode([payload], context);
  } catch (err) {
    assert.ok(err instanceof PayloadUnreadableError, String(err));
    return err.message;
  }
  assert.fail('it was read');
}

function changed(payload: Payload, change: (data: Buffer) => Buffer | void): Payload {
  const data = Buffer.from(payload.data as Uint8Array);
  return { ...payload, data: change(data) ?? data };
}

describe('an encrypted payload', () => {
  test('comes back as it was, metadata and all', async () => {
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

  test('says that it is, and with which key, and nothing else', async () => {
    const payload = await encrypted();
    const metadata = Object.entries(payload.metadata ?? {}).map(([name, value]) => [
      name,
      Buffer.from(value).toString(),
    ]);
    assert.deepEqual(metadata, [
      ['encoding', 'binary/encrypted'],
      ['encryption-key-id', 'a'],
    ]);
    const bytes = Buffer.from(payload.data as Uint8Array).toString('latin1');
    for (const text of [SECRET, 'canary', 'custom_role_name', 'json/plain', 'role-build']) {
      assert.ok(!bytes.includes(text), text);
    }
  });

  test('is never the same twice', async () => {
    const codec = codecOf(a);
    const [one, other] = await codec.encode([payloadOf(VALUE), payloadOf(VALUE)], HERE);
    assert.notDeepEqual(one?.data, other?.data);
  });

  test('is some 300 bytes longer than what it holds, however long that is', async () => {
    for (const size of [0, 1_000, 100_000, 1_500_000]) {
      const payload = payloadOf('x'.repeat(size));
      const [encoded] = await codecOf(a).encode([payload], HERE);
      const more = (encoded?.data?.length ?? 0) - (payload.data?.length ?? 0);
      assert.ok(more > 200 && more < 420, `${size}: ${more}`);
    }
  });

  test('is not read once a bit of it was turned, or some of it is gone', async () => {
    const codec = codecOf(a);
    const payload = await encrypted(codec);
    const { length } = payload.data as Uint8Array;
    for (let at = 0; at < length; at += 7) {
      const turned = changed(payload, (data) => void (data[at] = (data[at] as number) ^ 1));
      await refusal(codec, turned, HERE);
      await refusal(
        codec,
        changed(payload, (data) => data.subarray(0, at)),
        HERE,
      );
    }
    await refusal(codec, { metadata: payload.metadata ?? null }, HERE);
  });
});

describe('where a payload belongs', () => {
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
    test(`is held: it is not read in ${where}`, async () => {
      assert.match(await refusal(codecOf(a), await encrypted(), context), message);
    });
  }

  test("is the workflow, not the activity: the command line reads an activity's result in the history", async () => {
    const activity: SerializationContext = { ...HERE, type: 'activity', activityId: '7', isLocal: true };
    const [decoded] = await codecOf(a).decode([await encrypted(codecOf(a), activity)], HERE);
    assert.deepEqual(valueOf(decoded as Payload), VALUE);
  });

  test('is the namespace alone where the SDK names no workflow; such a payload is not read as a workflow’s', async () => {
    const codec = codecOf(a);
    const [payload] = await codec.encode([payloadOf(VALUE)]);
    assert.deepEqual((await codec.decode([payload as Payload])).map(valueOf), [VALUE]);
    assert.match(await refusal(codec, payload as Payload, HERE), /another workflow/);
    assert.match(await refusal(new EncryptionCodec({ localKeys: [a] }, 'other'), payload as Payload), /namespace/);
  });

  test('is checked as to its namespace by the codec server, which does not know the workflow', async () => {
    const asked: SerializationContext = { type: 'activity', namespace: 'default', isLocal: false };
    assert.equal((await codecOf(a).decode([await encrypted()], asked)).length, 1);
    assert.match(await refusal(codecOf(a), await encrypted(), { ...asked, namespace: 'other' }), /namespace/);
  });
});

describe('keys', () => {
  test('are rotated: the new one is put first, and what the old one encrypted is still read', async () => {
    const old = await encrypted(codecOf(a));
    for (const codec of [codecOf(b, a), codecOf(a, b)]) {
      assert.deepEqual((await codec.decode([old], HERE)).map(valueOf), [VALUE]);
    }
    const fresh = await encrypted(codecOf(b, a));
    assert.equal(Buffer.from(fresh.metadata?.['encryption-key-id'] ?? []).toString(), 'b');
    assert.deepEqual((await codecOf(b).decode([fresh], HERE)).map(valueOf), [VALUE]);
    assert.match(await refusal(codecOf(a), fresh, HERE), /with the key "b", which is not given here/);
  });

  test('may have names that begin alike', async () => {
    const [short, long] = [newKey('key'), newKey('key-2')];
    const codec = codecOf(short, long);
    for (const one of [codecOf(short), codecOf(long)]) {
      assert.deepEqual((await codec.decode([await encrypted(one)], HERE)).map(valueOf), [VALUE]);
    }
  });

  test('that are missing are named', async () => {
    assert.equal(
      await refusal(codecOf(b), await encrypted(), HERE),
      'the payload is encrypted with the key "a", which is not given here',
    );
    assert.match(await refusal(codecWith({}), await encrypted(), HERE), /key "a", which is not given here/);
  });

  test('that are others under the same name are told', async () => {
    assert.match(await refusal(codecOf(newKey('a')), await encrypted(), HERE), /key of that name is another one/);
  });

  test('never stand in a message, nor does what a payload says of its key pass unescaped', async () => {
    const payload = await encrypted();
    const metadata = { ...payload.metadata, 'encryption-key-id': Buffer.from(`\u001b[31m\n${'x'.repeat(5_000)}`) };
    const message = await refusal(codecOf(b), { ...payload, metadata }, HERE);
    // oxlint-disable-next-line no-control-regex
    assert.doesNotMatch(message, /[\u0000-\u001f]/);
    assert.ok(message.length < 400);
    assert.ok(!message.includes(Buffer.from(b.key).toString('base64')));
  });

  test('that work are told by the check before a worker starts', async () => {
    assert.equal(await codecOf(b, a).check(), 'b');
    assert.equal(await codecWith({}).check(), undefined);
  });
});

describe('a payload that is not encrypted', () => {
  test('is read all the same, as those from before encryption are', async () => {
    assert.deepEqual((await codecOf(a).decode([payloadOf(VALUE)], HERE)).map(valueOf), [VALUE]);
  });

  test('is refused where encryption is required', async () => {
    const codec = codecWith({ localKeys: [a], required: true });
    assert.match(await refusal(codec, payloadOf(VALUE), HERE), /not encrypted, and ENCRYPTION_REQUIRED/);
    assert.deepEqual((await codec.decode(await codec.encode([payloadOf(VALUE)], HERE), HERE)).map(valueOf), [VALUE]);
  });

  test('is what there is without keys', async () => {
    const payloads = [payloadOf(VALUE)];
    assert.equal(await codecWith({}).encode(payloads, HERE), payloads);
  });
});
