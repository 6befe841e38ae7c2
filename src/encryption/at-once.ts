/**
 * Encrypts a message that is in memory, as the AWS Encryption SDK does and with its own functions, but without the streams that it
 * has around them for files: they are half of what a payload's encryption costs (docs/benchmarks.md).
 *
 * The functions are not part of what the SDK promises. So its version is an exact one, and tests hold each message to what
 * the SDK's own client makes and reads.
 */
import {
  CommitmentPolicySuites,
  NodeAlgorithmSuite,
  needs,
  type ClientOptions,
  type NodeMaterialsManager,
} from '@aws-crypto/client-node';
import { getEncryptionInfo } from '@aws-crypto/encrypt-node/build/main/src/encrypt_stream.js';
import { getEncryptFrame } from '@aws-crypto/encrypt-node/build/main/src/framed_encrypt_stream.js';

/** The SDK's default, and what is set for a message that is shorter. A message is one frame, however long. */
const MIN_FRAME_BYTES = 4_096;

interface Options {
  suiteId: ConstructorParameters<typeof NodeAlgorithmSuite>[0];
  encryptionContext: Record<string, string>;
}

/**
 * @param client what the SDK's own client is built with, and holds its messages to
 * @returns the message, in the AWS Encryption SDK's format
 * @throws Error where the client's options forbid it, or the suite has signatures
 */
export async function encryptAtOnce(
  { commitmentPolicy, maxEncryptedDataKeys }: ClientOptions,
  manager: NodeMaterialsManager,
  plaintext: Uint8Array,
  { suiteId, encryptionContext }: Options,
): Promise<Uint8Array> {
  const { length: contentLength } = plaintext;
  const material = await manager.getEncryptionMaterials({
    suite: new NodeAlgorithmSuite(suiteId),
    encryptionContext,
    plaintextLength: contentLength,
    commitmentPolicy,
  });
  try {
    // The SDK asks this where the streams are joined; what signs is a stream of its own.
    CommitmentPolicySuites.isEncryptEnabled(commitmentPolicy, material.suite);
    const isWithin = maxEncryptedDataKeys === false || material.encryptedDataKeys.length <= maxEncryptedDataKeys;
    needs(isWithin, 'maxEncryptedDataKeys exceeded.');
    needs(material.suite.signatureHash === undefined, 'a suite with signatures is not made at once');
    const frameLength = Math.max(MIN_FRAME_BYTES, contentLength + 1);
    const { getCipher, messageHeader, rawHeader } = getEncryptionInfo(material, frameLength);
    const { cipher, bodyHeader } = getEncryptFrame({
      pendingFrame: { content: [], contentLength, sequenceNumber: 1 },
      messageHeader,
      getCipher,
      isFinalFrame: true,
      suite: material.suite,
    });
    const body = [cipher.update(Buffer.from(plaintext.buffer, plaintext.byteOffset, contentLength)), cipher.final()];
    return Buffer.concat([...rawHeader, bodyHeader, ...body, cipher.getAuthTag()]);
  } finally {
    material.zeroUnencryptedDataKey();
  }
}
