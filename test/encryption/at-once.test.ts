/** What is made without the SDK's streams, beside what the SDK itself makes and reads. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import {
  AlgorithmSuiteIdentifier,
  buildClient,
  CommitmentPolicy,
  MultiKeyringNode,
  NodeDefaultCryptographicMaterialsManager,
  RawAesKeyringNode,
  RawAesWrappingSuiteIdentifier,
  type MessageHeader,
  type NodeEncryptionMaterial,
  type NodeMaterialsManager,
} from '@aws-crypto/client-node';
import { encryptAtOnce } from '../../src/encryption/at-once.ts';

const SUITE = AlgorithmSuiteIdentifier.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY;
const CLIENT = { commitmentPolicy: CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT, maxEncryptedDataKeys: 1 };
const CONTEXT = { 'temporal-namespace': 'default', ünïcode: '✓', 'a-first': '1' };

const keyringOf = (keyName: string) =>
  new RawAesKeyringNode({
    keyNamespace: 'tests',
    keyName,
    unencryptedMasterKey: new Uint8Array(randomBytes(32)),
    wrappingSuite: RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING,
  });
const keyring = keyringOf('a');
const manager = new NodeDefaultCryptographicMaterialsManager(keyring);
const sdk = buildClient(CLIENT);
const encrypt = (plaintext: Uint8Array, by: NodeMaterialsManager = manager, suiteId = SUITE) =>
  encryptAtOnce(CLIENT, by, plaintext, { suiteId, encryptionContext: CONTEXT });

/** What differs from one message to the next: its ID, its data key, and what is derived of both. */
function alike(header: MessageHeader): object {
  const { messageId, encryptedDataKeys, suiteData, ...same } = header as MessageHeader & { suiteData: Uint8Array };
  return {
    ...same,
    lengths: [messageId.length, suiteData.length],
    keys: encryptedDataKeys.map(({ providerId, encryptedDataKey }) => [providerId, encryptedDataKey.length]),
  };
}

describe('a message that is encrypted at once', () => {
  for (const size of [0, 1, 4_095, 4_096, 4_097, 100_000, 2_000_000]) {
    test(`is what the SDK makes of ${size} bytes, and what it reads`, async () => {
      const plaintext = randomBytes(size);
      const message = await encrypt(plaintext);
      const read = await sdk.decrypt(keyring, message);
      assert.deepEqual(read.plaintext, plaintext);
      const { result: theirs } = await sdk.encrypt(keyring, plaintext, {
        suiteId: SUITE,
        encryptionContext: CONTEXT,
        frameLength: Math.max(4_096, size + 1),
      });
      assert.equal(message.length, theirs.length);
      assert.deepEqual(alike(read.messageHeader), alike((await sdk.decrypt(keyring, theirs)).messageHeader));
    });
  }

  test('may be a part of a larger buffer', async () => {
    const larger = randomBytes(100);
    const { plaintext } = await sdk.decrypt(
      keyring,
      await encrypt(new Uint8Array(larger.buffer, larger.byteOffset + 10, 20)),
    );
    assert.deepEqual(plaintext, larger.subarray(10, 30));
  });

  test('is refused where the SDK refuses it: with more data keys than the client allows', async () => {
    const two = new MultiKeyringNode({ generator: keyring, children: [keyringOf('b')] });
    await assert.rejects(sdk.encrypt(two, 'x', { suiteId: SUITE }), /maxEncryptedDataKeys exceeded/);
    await assert.rejects(
      encrypt(Buffer.from('x'), new NodeDefaultCryptographicMaterialsManager(two)),
      /maxEncryptedDataKeys exceeded/,
    );
  });

  test('is refused without key commitment, which the client asks for, and with a signature, which is not made', async () => {
    const { ALG_AES256_GCM_IV12_TAG16_HKDF_SHA256: loose } = AlgorithmSuiteIdentifier;
    await assert.rejects(encrypt(Buffer.from('x'), manager, loose), /due to CommitmentPolicy/);
    const signing = AlgorithmSuiteIdentifier.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY_ECDSA_P384;
    await assert.rejects(encrypt(Buffer.from('x'), manager, signing), /a suite with signatures/);
  });

  test('leaves no data key in memory, made or not', async () => {
    const materials: NodeEncryptionMaterial[] = [];
    const watched: NodeMaterialsManager = {
      getEncryptionMaterials: async (request) => {
        const material = await manager.getEncryptionMaterials(request);
        materials.push(material);
        return material;
      },
      decryptMaterials: (request) => manager.decryptMaterials(request),
    };
    await encrypt(Buffer.from('x'), watched);
    const unusable = Object.defineProperty(new Uint8Array(1), 'length', { value: 2 ** 33 });
    await assert.rejects(encrypt(unusable, watched));
    assert.equal(materials.length, 2);
    for (const material of materials) assert.equal(material.hasUnencryptedDataKey, false);
  });
});
