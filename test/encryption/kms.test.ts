import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { defaultPayloadConverter, type Payload, type SerializationContext } from '@temporalio/common';
import { EncryptionCodec } from '../../src/encryption/codec.ts';
import { newKey } from './keys.ts';
import { startKmsServer, type KmsServer } from './kms-server.ts';

const OLD = 'arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000001';
const NEW = 'arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000002';
const ELSEWHERE = 'arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000003';
const VALUE = { custom_role_name: 'canary' };

const contextOf = (workflowId: string): SerializationContext => ({
  type: 'workflow',
  namespace: 'default',
  workflowId,
});
const payload = (value: unknown = VALUE) => defaultPayloadConverter.toPayload(value, undefined);
const codecOf = (...kmsKeyArns: string[]) => new EncryptionCodec({ kmsKeyArns }, 'default');

let kms: KmsServer;
before(async () => {
  kms = await startKmsServer([OLD, NEW, ELSEWHERE]);
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_KMS: kms.endpoint,
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
  });
});
after(() => kms.stop());
beforeEach(() => {
  kms.requests = [];
  kms.fault = undefined;
});

const asked = () => kms.requests.map(({ operation, keyId }) => `${operation} ${keyId.at(-1)}`);

describe('with keys of AWS KMS', () => {
  test('a payload comes back, and KMS is told the namespace and the hash of the workflow ID', async () => {
    const codec = codecOf(OLD);
    const encoded = await codec.encode([payload()], contextOf('w'));
    const [decoded] = await codecOf(OLD).decode(encoded, contextOf('w'));
    assert.deepEqual(defaultPayloadConverter.fromPayload(decoded as Payload), VALUE);
    assert.equal(Buffer.from(encoded[0]?.metadata?.['encryption-key-id'] ?? []).toString(), OLD);
    assert.deepEqual(asked(), ['GenerateDataKey 1', 'Decrypt 1']);
    for (const { context } of kms.requests) {
      assert.equal(context['temporal-namespace'], 'default');
      assert.match(context['temporal-workflow-id-sha256'] ?? '', /^[\w-]{43}$/);
    }
  });

  test('30 payloads of one build ask KMS for one data key, and whoever else reads them to decrypt it once', async () => {
    const [writer, reader] = [codecOf(OLD), codecOf(OLD)];
    for (let i = 0; i < 30; i += 1) {
      const encoded = await writer.encode([payload(i)], contextOf('w'));
      for (const codec of [writer, reader]) await codec.decode(encoded, contextOf('w'));
    }
    assert.deepEqual(asked(), ['GenerateDataKey 1', 'Decrypt 1']);
    await writer.encode([payload()], contextOf('another'));
    assert.deepEqual(asked().slice(2), ['GenerateDataKey 1']);
  });

  for (const isLocal of [true, false]) {
    const decryptions = isLocal ? 'nor for a second attempt' : 'but for a second attempt';
    test(`what a worker hands to its ${isLocal ? 'local' : 'ordinary'} activities it does not decrypt, ${decryptions}`, async () => {
      const codec = codecOf(OLD);
      const context = { ...contextOf('w'), type: 'activity' as const, activityId: '1', isLocal };
      for (let activities = 1; activities <= 2; activities += 1) {
        await codec.decode(await codec.encode([payload()], context), context);
      }
      assert.deepEqual(asked(), ['GenerateDataKey 1']);
      const encoded = await codec.encode([payload()], context);
      for (let attempt = 1; attempt <= 2; attempt += 1) {
        const [read] = await codec.decode(encoded, context);
        assert.deepEqual(defaultPayloadConverter.fromPayload(read as Payload), VALUE);
      }
      assert.deepEqual(asked().slice(1), isLocal ? [] : ['Decrypt 1']);
    });
  }

  test('rotation: the first key encrypts, all decrypt, each in its own region', async () => {
    const old = await codecOf(OLD).encode([payload()], contextOf('w'));
    kms.requests = [];
    const codec = codecOf(NEW, OLD);
    await codec.decode(old, contextOf('w'));
    await codecOf(NEW, OLD).decode(await codec.encode([payload()], contextOf('w')), contextOf('w'));
    assert.deepEqual(asked(), ['Decrypt 1', 'GenerateDataKey 2', 'Decrypt 2']);
  });

  test('moving over from local keys: KMS encrypts, what the local key encrypted is still read', async () => {
    const key = newKey('local');
    const old = await new EncryptionCodec({ localKeys: [key] }, 'default').encode([payload()], contextOf('w'));
    const both = new EncryptionCodec({ kmsKeyArns: [NEW], localKeys: [key] }, 'default');
    assert.equal((await both.decode(old, contextOf('w'))).length, 1);
    assert.equal(await both.check(), NEW);
  });

  test('no key but those that are set is used, whatever a payload asks for', async () => {
    const foreign = await codecOf(ELSEWHERE).encode([payload()], contextOf('w'));
    kms.requests = [];
    await assert.rejects(codecOf(OLD).decode(foreign, contextOf('w')), /key\/0{8}-.*3", which is not given here/);
    assert.deepEqual(asked(), []);
  });

  test('a key that KMS does not let us use is told, and found by the check', async () => {
    const encoded = await codecOf(OLD).encode([payload()], contextOf('w'));
    kms.fault = { status: 400, type: 'AccessDeniedException' };
    await assert.rejects(codecOf(OLD).decode(encoded, contextOf('w')), {
      name: 'PayloadUnreadable',
      message: /key "arn:.*1": AWS KMS does not give it back/,
    });
    await assert.rejects(codecOf(OLD).check());
  });
});
