/** How long data keys of AWS KMS are used, by whom, and how many are requested. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { KMSClient } from '@aws-sdk/client-kms';
import { codecOf, contextOf, HERE, kmsForTests, OLD } from './kms-fixture.ts';
import { encryptedBy, refusal } from './payloads.ts';

const kms = kmsForTests([OLD]);
const { asked } = kms;

describe('data keys of AWS KMS', () => {
  it('all builds of a worker have one data key, and any other reader has it unwrapped once, however many it reads at a time', async () => {
    const [writer, reader] = [codecOf(OLD), codecOf(OLD)];
    const contexts = Array.from({ length: 50 }, (_, i) => contextOf(`w-${i}`));
    const encoded = await Promise.all(contexts.map((context) => encryptedBy(writer, context)));
    assert.deepEqual(asked(), ['GenerateDataKey 1']);
    // A program decrypts its own payloads without a call to KMS.
    await Promise.all(contexts.map((context, i) => writer.decode([encoded[i] ?? {}], context)));
    assert.deepEqual(asked(), []);
    await Promise.all(contexts.map((context, i) => reader.decode([encoded[i] ?? {}], context)));
    assert.deepEqual(asked(), ['Decrypt 1']);
  });

  it('each namespace has a data key of its own, which is not used in another', async () => {
    const [writer, reader] = [codecOf(OLD), codecOf(OLD)];
    const here = await encryptedBy(writer, HERE);
    const there = await encryptedBy(writer, contextOf('w', 'other'));
    await reader.decode([here], HERE);
    assert.deepEqual(asked(), ['GenerateDataKey 1', 'GenerateDataKey 1', 'Decrypt 1']);
    // The data key is cached, but not for that namespace: KMS is called and refuses.
    const moved = { ...here, metadata: { ...here.metadata, 'temporal-namespace': Buffer.from('other') } };
    assert.match(await refusal(reader, moved, contextOf('w', 'other')), /AWS KMS does not unwrap it/);
    await reader.decode([there], contextOf('w', 'other'));
    assert.deepEqual(asked(), ['Decrypt 1', 'Decrypt 1']);
  });

  it('a data key is used again for five minutes and no longer, to encrypt and to decrypt', async (t) => {
    let now = 1_000;
    t.mock.method(performance, 'now', () => now);
    const [writer, reader] = [codecOf(OLD), codecOf(OLD)];
    const first = await encryptedBy(writer, HERE);
    await reader.decode([first], HERE);
    asked();
    now += 5 * 60_000 - 1;
    await encryptedBy(writer, HERE);
    for (const codec of [writer, reader]) await codec.decode([first], HERE);
    assert.deepEqual(asked(), []);
    now += 1;
    await encryptedBy(writer, HERE);
    for (const codec of [writer, reader]) await codec.decode([first], HERE);
    assert.deepEqual(asked(), ['GenerateDataKey 1', 'Decrypt 1', 'Decrypt 1']);
  });

  it('a thousand data keys are cached, and the least recently used are dropped', async (t) => {
    // Without HTTP, because there are so many calls.
    const { mock } = t.mock.method(KMSClient.prototype, 'send', () =>
      Promise.resolve({ KeyId: OLD, Plaintext: randomBytes(32), CiphertextBlob: randomBytes(60) }),
    );
    const codec = codecOf(OLD);
    const encrypt = (namespace: string) => encryptedBy(codec, contextOf('w', namespace));
    for (let i = 0; i < 1_000; i += 1) await encrypt(`namespace-${i}`);
    await encrypt('namespace-0');
    await encrypt('one more');
    assert.equal(mock.callCount(), 1_001);
    await encrypt('namespace-0');
    assert.equal(mock.callCount(), 1_001);
    await encrypt('namespace-1');
    assert.equal(mock.callCount(), 1_002);
  });

  it('a call that failed is made again for the next caller', async () => {
    const codec = codecOf(OLD);
    kms.server.fault = { status: 400, type: 'AccessDeniedException' };
    const failed = await Promise.allSettled(['a', 'b'].map((id) => encryptedBy(codec, contextOf(id))));
    assert.deepEqual(
      failed.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    assert.deepEqual(asked(), ['GenerateDataKey 1']);
    kms.server.fault = undefined;
    const encoded = await encryptedBy(codec, HERE);
    kms.server.fault = { status: 400, type: 'AccessDeniedException' };
    const reader = codecOf(OLD);
    assert.match(await refusal(reader, encoded, HERE), /key "arn:.*1": AWS KMS does not unwrap it \(told so\)/);
    kms.server.fault = undefined;
    assert.equal((await reader.decode([encoded], HERE)).length, 1);
  });

  it('a call that fails for a moment is made again at once', async () => {
    kms.server.fault = { status: 500, type: 'KMSInternalException', times: 1 };
    await encryptedBy(codecOf(OLD), HERE);
    assert.deepEqual(asked(), ['GenerateDataKey 1', 'GenerateDataKey 1']);
  });

  for (const [what, fault] of [
    ['is not answered', { hangs: true }],
    ['has an answer that does not end', { stalls: true }],
  ] as const) {
    it(`a call that ${what} within 3 s is made again at once`, async (t) => {
      // A name that its type does not have yet.
      t.mock.timers.enable({ apis: ['setTimeout', 'AbortSignal.timeout' as 'setTimeout'] });
      kms.server.fault = { ...fault, times: 1 };
      const ended = new AbortController();
      const encrypted = encryptedBy(codecOf(OLD), HERE).finally(() => ended.abort());
      const settle = () => new Promise((resolve) => setImmediate(resolve));
      while (kms.server.requests.length === 0) await settle();
      t.mock.timers.tick(2_900);
      for (let turn = 0; turn < 100; turn += 1) await settle();
      assert.equal(kms.server.requests.length, 1);
      while (!ended.signal.aborted) {
        t.mock.timers.tick(10);
        await settle();
      }
      await encrypted;
      assert.deepEqual(asked(), ['GenerateDataKey 1', 'GenerateDataKey 1']);
    });
  }
});
