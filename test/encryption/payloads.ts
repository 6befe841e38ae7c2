/** Makes, encrypts and decrypts payloads of a workflow. */
import assert from 'node:assert/strict';
import { defaultPayloadConverter, type Payload, type SerializationContext } from '@temporalio/common';
import { EncryptionCodec } from '../../src/encryption/codec.ts';
import type { EncryptionSettings } from '../../src/config/encryption.ts';
import { PayloadUnreadableError } from '../../src/encryption/unreadable.ts';

export const SECRET = 'canary-in-a-payload';
export const VALUE = { build_body: { custom_role_name: SECRET }, encrypted_jwt: 'canary-credential' };
export const HERE = {
  type: 'workflow',
  namespace: 'default',
  workflowId: 'role-build:1:a',
} satisfies SerializationContext;

export const payloadOf = (value: unknown): Payload => defaultPayloadConverter.toPayload(value, undefined);
export const valueOf = (payload: Payload): unknown => defaultPayloadConverter.fromPayload(payload);

export const codecWith = (settings: EncryptionSettings) => new EncryptionCodec(settings, HERE.namespace);

export async function encryptedBy(codec: EncryptionCodec, context: SerializationContext = HERE): Promise<Payload> {
  const [payload] = await codec.encode([payloadOf(VALUE)], context);
  return payload as Payload;
}

/** A copy whose bytes can be changed. */
export function copyOf({ metadata, data }: Payload): { metadata: Record<string, Buffer>; data: Buffer } {
  const entries = Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value)] as const);
  return { metadata: Object.fromEntries(entries), data: Buffer.from(data ?? []) };
}

/** @returns the error with which the codec refuses the payload */
export async function refusal(
  codec: EncryptionCodec,
  payload: Payload,
  context?: SerializationContext,
): Promise<string> {
  try {
    await codec.decode([payload], context);
  } catch (err) {
    assert.ok(err instanceof PayloadUnreadableError, String(err));
    return err.message;
  }
  assert.fail('it was read');
}
