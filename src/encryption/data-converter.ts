import { fileURLToPath } from 'node:url';
import type { DataConverter } from '@temporalio/common';
import { EncryptionCodec } from './codec.ts';
import { isEncrypting, type EncryptionSettings } from '../config/encryption.ts';

const HERE = import.meta.url;
const EXTENSION = HERE.slice(HERE.lastIndexOf('.'));

const failureConverterPath = fileURLToPath(new URL(`./failure-converter${EXTENSION}`, HERE));

/**
 * What a Temporal client or worker of role builds is given as its `dataConverter`.
 *
 * @param settings none of its keys set means no encryption, as is the workers' default; what is encrypted is then refused
 *   in words that name its key
 * @param namespace the client's or worker's own
 * @throws Error if a local key is not 32 bytes long
 */
export function createDataConverter(settings: EncryptionSettings, namespace: string): DataConverter {
  const payloadCodecs = [new EncryptionCodec(settings, namespace)];
  return isEncrypting(settings) ? { failureConverterPath, payloadCodecs } : { payloadCodecs };
}

/**
 * The key that a data converter of {@link createDataConverter} encrypts with, once it has been used; `undefined` if
 * nothing is encrypted.
 *
 * @throws Error if the key can't be used
 */
export async function keyInUse({ payloadCodecs = [] }: DataConverter): Promise<string | undefined> {
  const codec = payloadCodecs.find((one) => one instanceof EncryptionCodec);
  return codec?.check();
}
