/**
 * Encrypts bytes and decrypts them with the AWS Encryption SDK: a data key of its own for each workflow, wrapped by one of
 * our keys. Loaded only where encryption is on, since the SDK takes a tenth of a second to load.
 */
import {
  AlgorithmSuiteIdentifier,
  buildAwsKmsMrkAwareStrictMultiKeyringNode,
  buildClient,
  CommitmentPolicy,
  getLocalCryptographicMaterialsCache,
  KMS,
  MultiKeyringNode,
  NodeCachingMaterialsManager,
  RawAesKeyringNode,
  RawAesWrappingSuiteIdentifier,
  type ClientOptions,
  type KeyringNode,
} from '@aws-crypto/client-node';
import { encryptAtOnce } from './at-once.ts';
import { MAX_AGE_MS } from './kept-messages.ts';
import type { EncryptionSettings, LocalKey } from './settings.ts';

/** What a payload belongs to. Stands in the clear in what is encrypted, and can't be changed there. */
export type EncryptionContext = Readonly<Record<string, string>>;

export interface KeyRing {
  /** The name of the local key, or the ARN of the KMS key, that encrypts. */
  readonly encryptsWith: string;
  encrypt(plaintext: Uint8Array, context: EncryptionContext): Promise<Uint8Array>;
  /** @throws Error of the SDK's */
  decrypt(ciphertext: Uint8Array): Promise<{ plaintext: Uint8Array; context: EncryptionContext }>;
}

/**
 * AES-256-GCM with key commitment: a message opens under one key alone, so nobody can make one that two key holders read
 * differently. Without the SDK's signature, which tells a writer from a reader that holds the same key: ours are the same
 * programs, and it would cost a signature of ECDSA with each payload.
 */
const SUITE = AlgorithmSuiteIdentifier.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY;

/** Says in a message that its data key was wrapped by a key of the local ring. */
const LOCAL_KEYS = 'iam-orchestrator';

/** A build makes about 30 payloads; a data key that has encrypted so many belongs to one that polls every second. */
const DATA_KEY_MAX_MESSAGES = 1_000;
/** Data keys in memory. A build has up to three in a worker: its caller's, this worker's, another worker's. */
const CACHED_DATA_KEYS = 4_000;

/** The AWS SDK's own retries: seven more, some 10 s in all. What can't be encrypted is lost, a POST's answer included. */
const KMS_ATTEMPTS = 8;

const CLIENT: ClientOptions = {
  commitmentPolicy: CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT,
  // Ours have one. More would have each of them tried, in KMS too.
  maxEncryptedDataKeys: 1,
};
const sdk = buildClient(CLIENT);

/** @throws Error where there is no key */
export function openKeyRing({ kmsKeyArns = [], localKeys = [] }: EncryptionSettings): KeyRing {
  const [encryptsWith] = [...kmsKeyArns, ...localKeys.map(({ name }) => name)];
  if (encryptsWith === undefined) throw new Error('there is no key to encrypt with');
  const rings = localKeys.map(localRing);
  const kms = kmsKeyArns.length === 0 ? [] : [kmsRing({ keyIds: [...kmsKeyArns] })];
  const first = kmsKeyArns[0] === undefined ? (rings[0] as KeyringNode) : kmsRing({ generatorKeyId: kmsKeyArns[0] });
  const cached = cachedIn(getLocalCryptographicMaterialsCache(CACHED_DATA_KEYS));
  const writer = cached(first);
  const reader = cached(new MultiKeyringNode({ children: [...kms, ...rings] }));
  return {
    encryptsWith,
    encrypt: (plaintext, context) =>
      encryptAtOnce(CLIENT, writer, plaintext, { suiteId: SUITE, encryptionContext: { ...context } }),
    async decrypt(ciphertext) {
      const { plaintext, messageHeader } = await sdk.decrypt(reader, ciphertext);
      return { plaintext, context: messageHeader.encryptionContext };
    },
  };
}

/** Each with a partition of its own, so that what one may do with a data key is no other's. */
function cachedIn(cache: ReturnType<typeof getLocalCryptographicMaterialsCache>) {
  return (backingMaterials: KeyringNode) =>
    new NodeCachingMaterialsManager({
      backingMaterials,
      cache,
      // A build that polls every 60 s so asks KMS once in five polls.
      maxAge: MAX_AGE_MS,
      maxMessagesEncrypted: DATA_KEY_MAX_MESSAGES,
    });
}

function localRing({ name, key }: LocalKey): KeyringNode {
  return new RawAesKeyringNode({
    keyNamespace: LOCAL_KEYS,
    keyName: name,
    // Its own, since the keyring takes it over.
    unencryptedMasterKey: Uint8Array.from(key),
    wrappingSuite: RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING,
  });
}

/** Uses the keys that are named and no other, whatever a message asks for. */
function kmsRing(keys: { generatorKeyId?: string; keyIds?: string[] }): KeyringNode {
  const clients = new Map<string, KMS>();
  return buildAwsKmsMrkAwareStrictMultiKeyringNode({
    ...keys,
    clientProvider: (region) => {
      const client = clients.get(region) ?? new KMS({ region, maxAttempts: KMS_ATTEMPTS });
      clients.set(region, client);
      // Its declarations and the client's differ in what may be `undefined`.
      return client as never;
    },
  });
}
