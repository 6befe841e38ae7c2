import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { newKey } from './keys.ts';
import { codecOf, ELSEWHERE, HERE, kmsForTests, NEW, OLD } from './kms-fixture.ts';
import { codecWith, copyOf, encryptedBy, refusal, VALUE, valueOf } from './payloads.ts';

const [IRELAND, FRANKFURT, PARIS] = ['eu-west-1', 'eu-central-1', 'eu-west-3'].map(
  (region) => `arn:aws:kms:${region}:123456789012:key/mrk-0000000000000000000000000000000a`,
) as [string, string, string];

const kms = kmsForTests([OLD, NEW, ELSEWHERE, IRELAND, FRANKFURT]);
const { asked } = kms;

describe('with keys of AWS KMS', () => {
  it('a payload is decrypted unchanged, and KMS gets the namespace and purpose in the encryption context', async () => {
    const encoded = await encryptedBy(codecOf(OLD), HERE);
    const [decoded] = await codecOf(OLD).decode([encoded], HERE);
    assert.deepEqual(valueOf(decoded ?? {}), VALUE);
    assert.equal(String(encoded.metadata?.['encryption-key-id']), OLD);
    const context = { purpose: 'iam-orchestrator/payload', 'temporal-namespace': 'default' };
    assert.deepEqual(kms.server.requests, [
      { operation: 'GenerateDataKey', keyId: OLD, context },
      { operation: 'Decrypt', keyId: OLD, context },
    ]);
  });

  it('rotation: the first key encrypts, all decrypt, each in its own region', async () => {
    const old = await encryptedBy(codecOf(OLD), HERE);
    asked();
    const codec = codecOf(NEW, OLD);
    await codec.decode([old], HERE);
    await codecOf(NEW, OLD).decode([await encryptedBy(codec, HERE)], HERE);
    assert.deepEqual(asked(), ['Decrypt 1', 'GenerateDataKey 2', 'Decrypt 2']);
  });

  it('moving from local keys: KMS encrypts, and payloads of the local key are still decrypted', async () => {
    const key = newKey('local');
    const old = await encryptedBy(codecWith({ localKeys: [key] }), HERE);
    const both = codecWith({ kmsKeyArns: [NEW], localKeys: [key] });
    assert.equal((await both.decode([old], HERE)).length, 1);
    assert.equal(await both.check(), NEW);
  });

  it("a replica of a multi-Region key decrypts payloads of another, and replaces it if it can't be reached", async () => {
    const encoded = await encryptedBy(codecOf(IRELAND), HERE);
    asked();
    await codecOf(NEW, FRANKFURT).decode([encoded], HERE);
    assert.deepEqual(
      kms.server.requests.splice(0).map(({ keyId }) => keyId),
      [FRANKFURT],
    );
    kms.server.fault = { status: 400, type: 'DisabledException', keyId: IRELAND };
    await codecOf(IRELAND, FRANKFURT).decode([encoded], HERE);
    assert.deepEqual(
      kms.server.requests.splice(0).map(({ keyId }) => keyId),
      [IRELAND, FRANKFURT],
    );
    assert.match(await refusal(codecOf(PARIS), encoded, HERE), /AWS KMS does not unwrap it \(no such key\)/);
  });
});

describe('a KMS key that is not set', () => {
  it('a KMS key that is not set is never used, whatever a payload asks for', async () => {
    const foreign = await encryptedBy(codecOf(ELSEWHERE), HERE);
    asked();
    assert.match(await refusal(codecOf(OLD), foreign, HERE), /key\/0{8}-.*3", which is not among the keys given here/);
    for (const arn of [
      OLD.replace('eu-west-1', 'us-east-1'),
      OLD.replace('arn:aws', 'arn:aws-cn'),
      `${OLD}/`,
      'alias/a',
    ]) {
      const claimed = { ...foreign, metadata: { ...foreign.metadata, 'encryption-key-id': Buffer.from(arn) } };
      assert.match(await refusal(codecOf(OLD), claimed, HERE), /which is not among the keys given here/);
    }
    const account = IRELAND.replace('123456789012', '210987654321');
    const claimed = { ...foreign, metadata: { ...foreign.metadata, 'encryption-key-id': Buffer.from(account) } };
    assert.match(await refusal(codecOf(IRELAND), claimed, HERE), /which is not among the keys given here/);
    assert.deepEqual(asked(), []);
  });

  it('a KMS key that is not set is not called for a data key that another wrapped: the key that the payload names is, and refuses', async () => {
    const local = newKey('local');
    const codec = codecWith({ kmsKeyArns: [OLD, NEW], localKeys: [local] });
    const encoded = await encryptedBy(codec, HERE);
    asked();
    for (const [name, calls] of [
      [NEW, ['Decrypt 2']],
      ['local', []],
    ] as const) {
      const changed = copyOf(encoded);
      changed.metadata['encryption-key-id'] = Buffer.from(name);
      await refusal(codec, changed, HERE);
      assert.deepEqual(asked(), calls);
    }
  });

  it("a KMS key that is not set can't answer in place of another", async () => {
    const encoded = await encryptedBy(codecOf(OLD), HERE);
    kms.server.fault = { answersAs: NEW };
    assert.match(await refusal(codecOf(OLD), encoded, HERE), /AWS KMS answered with another key/);
    await assert.rejects(encryptedBy(codecOf(OLD), HERE), /AWS KMS answered with another key/);
  });
});

describe('a payload of AWS KMS', () => {
  it('a payload of AWS KMS is refused with any bit of its wrapped data key flipped, and without a call if that is missing or impossible', async () => {
    const encoded = await encryptedBy(codecOf(OLD), HERE);
    const other = await encryptedBy(codecOf(OLD), HERE);
    const codec = codecOf(OLD);
    const wrapped = encoded.metadata?.['encryption-data-key'] as Uint8Array;
    for (let at = 0; at < wrapped.length; at += 1) {
      const turned = copyOf(encoded);
      (turned.metadata['encryption-data-key'] as Buffer)[at] = (wrapped[at] as number) ^ 1;
      assert.match(await refusal(codec, turned, HERE), /AWS KMS does not unwrap it|the payload was changed/);
    }
    const swapped = copyOf(encoded);
    swapped.metadata['encryption-data-key'] = Buffer.from(other.metadata?.['encryption-data-key'] ?? []);
    assert.match(await refusal(codec, swapped, HERE), /the payload was changed/);
    asked();
    for (const wrong of [undefined, Buffer.alloc(6_145), Buffer.alloc(2_000_000)]) {
      const changed = copyOf(encoded);
      if (wrong === undefined) delete changed.metadata['encryption-data-key'];
      else changed.metadata['encryption-data-key'] = wrong;
      assert.match(await refusal(codec, changed, HERE), /has no data key/);
    }
    assert.deepEqual(asked(), []);
  });

  it('payloads of AWS KMS have their data keys unwrapped 16 at a time, and no more after one that is refused', async () => {
    const encoded = await Promise.all(Array.from({ length: 40 }, () => encryptedBy(codecOf(OLD), HERE)));
    asked();
    assert.deepEqual(
      (await codecOf(OLD).decode(encoded, HERE)).map(valueOf),
      encoded.map(() => VALUE),
    );
    assert.equal(asked().length, 40);
    for (const payload of encoded.slice(20)) payload.metadata?.['encryption-data-key']?.fill(0, 0, 8);
    await assert.rejects(codecOf(OLD).decode(encoded, HERE), { name: 'PayloadUnreadable' });
    while (kms.server.requests.length < 32) await setImmediate();
    // With a wider limit, others would have come before this one.
    await codecOf(OLD).check();
    assert.equal(asked().filter((call) => call.startsWith('Decrypt')).length, 33);
  });
});

describe('the check before a worker starts', () => {
  it('the check before a worker starts has a data key made and unwrapped, each time', async () => {
    const codec = codecOf(OLD);
    assert.equal(await codec.check(), OLD);
    assert.equal(await codec.check(), OLD);
    assert.deepEqual(asked(), ['GenerateDataKey 1', 'Decrypt 1', 'Decrypt 1']);
  });

  for (const operation of ['GenerateDataKey', 'Decrypt'] as const) {
    it(`the check before a worker starts finds a key without kms:${operation}`, async () => {
      kms.server.fault = { status: 400, type: 'AccessDeniedException', operation };
      await assert.rejects(codecOf(OLD).check(), { name: 'AccessDeniedException' });
    });
  }
});
