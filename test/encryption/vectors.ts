/** Encrypted payloads that another library made from the format in deploy/encryption/README.md. */
import { readFileSync } from 'node:fs';

export interface Vector {
  what: string;
  key_id: string;
  namespace: string;
  workflow_id?: string;
  /** All from here on is Base64. */
  wrapped_key?: string;
  data_key: string;
  salt: string;
  nonce: string;
  /** The message `temporal.api.common.v1.Payload` that is encrypted. */
  plaintext: string;
  message_key: string;
  commitment: string;
  additional_data: string;
  payload: { metadata: Record<string, string>; data: string };
}

export const VECTORS = JSON.parse(readFileSync(new URL('vectors.json', import.meta.url), 'utf8')) as Vector[];
