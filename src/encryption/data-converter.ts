import { fileURLToPath } from 'node:url';
import type { DataConverter } from '@temporalio/common';
import { EncryptionCodec } from './codec.ts';
import { isEncrypting, type EncryptionSettings } from '../config/encryption.ts';

const HERE = import.meta.url;
const EXTENSION = HERE.slice(HERE.lastIndexOf('.'));

const failureConverterPath = fileURLToPath(new URL(`./failure-converter${EXTENSION}`, HERE));

/**
 * Creates the `dataConverter` of a Temporal client or worker of role builds.
 *
 * @param settings without keys, nothing is encrypted, as is the workers' default; an encrypted payload is then refused
 *   with an error that names its key
 * @param namespace the client's or worker's own
 * @throws Error if a local key is not 32 bytes long
 */
export function createDataConverter(settings: EncryptionSettings, namespace: string): DataConverter {
  const payloadCodecs = [new EncryptionCodec(settings, namespace)];
  return isEncrypting(settings) ? { failureConverterPath, payloadCodecs } : { payloadCodecs };
}

/**
 * Tries the key of a data converter made by {@link createDataConverter} and returns its name; `undefined` if nothing is
 * encrypted.
 *
 * @throws Error if the key can't be used
 */
export async function keyInUse({ payloadCodecs = [] }: DataConverter): Promise<string | undefined> {
  const codec = payloadCodecs.find((one) => one instanceof EncryptionCodec);
  return codec?.check();
}
