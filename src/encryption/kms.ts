/** Calls of AWS KMS. They are in their own file, so that the KMS client is loaded only if KMS keys are configured. */
import { createSecretKey, type KeyObject } from 'node:crypto';
import { DecryptCommand, GenerateDataKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { limitAnswers } from '../process/aws-answers.ts';

/** The AWS SDK retries seven times, about 5 s in all. A value that can't be encrypted is lost, even a POST's answer. */
const ATTEMPTS = 8;
const CONNECT_TIMEOUT_MS = 2_000;
/** Limit of a whole call. KMS answers within milliseconds, and a call that hangs delays a workflow task. */
const CALL_TIMEOUT_MS = 3_000;

export class Kms {
  readonly #clients = new Map<string, KMSClient>();

  /** @throws Error from the AWS SDK, or because the answer is not valid */
  async generateDataKey(arn: string, namespace: string): Promise<{ key: KeyObject; wrappedKey: Uint8Array }> {
    const { KeyId, Plaintext, CiphertextBlob } = await this.#clientFor(arn).send(
      new GenerateDataKeyCommand({ KeyId: arn, KeySpec: 'AES_256', EncryptionContext: contextOf(namespace) }),
    );
    if (CiphertextBlob === undefined) throw new Error('AWS KMS answered without a wrapped data key');
    return { key: secretOf(arn, KeyId, Plaintext), wrappedKey: CiphertextBlob };
  }

  /** Unwraps with this key only. @throws Error from the AWS SDK, or because the answer is not valid */
  async decrypt(arn: string, wrappedKey: Uint8Array, namespace: string): Promise<KeyObject> {
    const { KeyId, Plaintext } = await this.#clientFor(arn).send(
      new DecryptCommand({ KeyId: arn, CiphertextBlob: wrappedKey, EncryptionContext: contextOf(namespace) }),
    );
    return secretOf(arn, KeyId, Plaintext);
  }

  #clientFor(arn: string): KMSClient {
    const region = arn.split(':')[3] as string;
    let client = this.#clients.get(region);
    if (client === undefined) {
      client = new KMSClient({
        region,
        maxAttempts: ATTEMPTS,
        requestHandler: {
          connectionTimeout: CONNECT_TIMEOUT_MS,
          requestTimeout: CALL_TIMEOUT_MS,
          throwOnRequestTimeout: true,
        },
      });
      limitAnswers(client, CALL_TIMEOUT_MS);
      this.#clients.set(region, client);
    }
    return client;
  }
}

/** KMS logs it and unwraps a data key only with the same one, so a key's policy can limit the key to a namespace. */
function contextOf(namespace: string): Record<string, string> {
  return { purpose: 'iam-orchestrator/payload', 'temporal-namespace': namespace };
}

function secretOf(arn: string, answeredBy: string | undefined, plaintext: Uint8Array | undefined): KeyObject {
  if (answeredBy !== arn || plaintext?.length !== 32) throw new Error('AWS KMS answered with another key');
  const key = createSecretKey(plaintext);
  plaintext.fill(0);
  return key;
}
