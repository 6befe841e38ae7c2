/**
 * Encrypts payloads on their way to Temporal and decrypts them on their way back.
 *
 * A payload is bound to its namespace and its workflow: both stand in the Encryption SDK's encryption context, which
 * nothing can change, and are compared with where the payload was found. The workflow's ID stands there as its hash: the
 * context is in the clear, and the ID may be up to 1,000 bytes long.
 */
import { hash } from 'node:crypto';
import type { Payload, PayloadCodec, SerializationContext } from '@temporalio/common';
import proto from '@temporalio/proto';
import { KeptMessages } from './kept-messages.ts';
import type { EncryptionContext, KeyRing } from './key-ring.ts';
import { isEncrypting, type EncryptionSettings } from './settings.ts';
import { PayloadUnreadableError } from './unreadable.ts';

const ENCODING = 'encoding';
const ENCRYPTED = Buffer.from('binary/encrypted');
/** Which key encrypted a payload, so that one who lacks it can say so. Nothing trusts it. */
const KEY_ID = 'encryption-key-id';

const NAMESPACE = 'temporal-namespace';
const WORKFLOW = 'temporal-workflow-id-sha256';

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;

export class EncryptionCodec implements PayloadCodec {
  readonly #settings: EncryptionSettings;
  readonly #namespace: string;
  readonly #kept = new KeptMessages();
  #keyRing: Promise<KeyRing> | undefined;

  /** @param namespace of payloads that the SDK says nothing of; see docs/encryption.md */
  constructor(settings: EncryptionSettings, namespace: string) {
    this.#settings = settings;
    this.#namespace = namespace;
  }

  /** Encrypts and decrypts something. @returns the key that encrypts, where there is one @throws Error where that can't be done */
  async check(): Promise<string | undefined> {
    if (!isEncrypting(this.#settings)) return undefined;
    // Not as a payload: what was just encrypted is known decrypted, without the permission to.
    const keyRing = await this.#open();
    const context = this.#contextOf(undefined);
    await keyRing.decrypt(await keyRing.encrypt(Buffer.from('check'), context));
    return keyRing.encryptsWith;
  }

  async encode(payloads: Payload[], context?: SerializationContext): Promise<Payload[]> {
    if (payloads.length === 0 || !isEncrypting(this.#settings)) return payloads;
    const keyRing = await this.#open();
    const place = this.#placeOf(context);
    const encrypt = (plaintext: Uint8Array) => keyRing.encrypt(plaintext, this.#contextOf(context));
    const keyId = Buffer.from(keyRing.encryptsWith);
    return Promise.all(
      payloads.map(async (payload) => ({
        metadata: { [ENCODING]: ENCRYPTED, [KEY_ID]: keyId },
        data: await this.#kept.encrypted(place, PayloadMessage.encode(payload).finish(), encrypt),
      })),
    );
  }

  /** @throws PayloadUnreadableError */
  async decode(payloads: Payload[], context?: SerializationContext): Promise<Payload[]> {
    return Promise.all(payloads.map((payload) => this.#decode(payload, context)));
  }

  async #decode(payload: Payload, context: SerializationContext | undefined): Promise<Payload> {
    if (!isEncrypted(payload)) {
      if (this.#settings.required !== true) return payload;
      throw new PayloadUnreadableError('the payload is not encrypted, and ENCRYPTION_REQUIRED has such refused');
    }
    if (!isEncrypting(this.#settings)) throw this.#whyNot(payload);
    const keyRing = await this.#open();
    const decrypt = async (ciphertext: Uint8Array) => {
      const { plaintext, context: found } = await keyRing
        .decrypt(ciphertext)
        .catch((err: unknown) => Promise.reject(this.#whyNot(payload, err)));
      refuseElsewhere(found, this.#contextOf(context));
      return plaintext;
    };
    const ciphertext = payload.data ?? new Uint8Array();
    const place = this.#placeOf(context);
    return PayloadMessage.decode(
      isReadOnce(context)
        ? await this.#kept.decryptedOnce(place, ciphertext, decrypt)
        : await this.#kept.decrypted(place, ciphertext, decrypt),
    );
  }

  /** Where the SDK says nothing of the workflow, the namespace alone is bound. */
  #contextOf(context: SerializationContext | undefined): EncryptionContext {
    const workflowId = context?.workflowId;
    return {
      [NAMESPACE]: context?.namespace ?? this.#namespace,
      ...(workflowId === undefined ? {} : { [WORKFLOW]: hash('sha256', workflowId, 'base64url') }),
    };
  }

  /** The same as a string, without its digest: each poll asks for it several times. */
  #placeOf(context: SerializationContext | undefined): string {
    return JSON.stringify([context?.namespace ?? this.#namespace, context?.workflowId]);
  }

  #open(): Promise<KeyRing> {
    this.#keyRing ??= import('./key-ring.ts').then(({ openKeyRing }) => openKeyRing(this.#settings));
    return this.#keyRing;
  }

  #whyNot({ metadata }: Payload, cause?: unknown): PayloadUnreadableError {
    const keyId = Buffer.from(metadata?.[KEY_ID] ?? '').toString();
    const { kmsKeyArns = [], localKeys = [] } = this.#settings;
    // It comes with the payload, so it may say anything.
    const named = JSON.stringify(keyId.slice(0, 200));
    if (!kmsKeyArns.includes(keyId) && !localKeys.some(({ name }) => name === keyId)) {
      return new PayloadUnreadableError(`the payload is encrypted with the key ${named}, which is not given here`, {
        cause,
      });
    }
    const why = kmsKeyArns.includes(keyId)
      ? `AWS KMS does not give it back (${(cause as Error).message}), or the payload was changed`
      : 'the key of that name is another one, or the payload was changed';
    return new PayloadUnreadableError(`the payload can't be decrypted with the key ${named}: ${why}`, { cause });
  }
}

/**
 * What an ordinary activity is handed, and a workflow, is read where it is needed and then never again. A poll, which is a
 * local activity, is handed the same again and again; where no workflow is known, people look at it.
 */
function isReadOnce(context: SerializationContext | undefined): boolean {
  return context?.type === 'workflow' || context?.isLocal === false;
}

export function isEncrypted({ metadata }: Payload): boolean {
  const encoding = metadata?.[ENCODING];
  return encoding != null && ENCRYPTED.equals(encoding);
}

/** Whoever does not know the workflow, as the codec server, checks the namespace alone. */
function refuseElsewhere(found: EncryptionContext, here: EncryptionContext): void {
  if (found[NAMESPACE] !== here[NAMESPACE]) {
    throw new PayloadUnreadableError(
      `the payload was encrypted for the namespace ${JSON.stringify(found[NAMESPACE])} and found in ${JSON.stringify(here[NAMESPACE])}`,
    );
  }
  if (here[WORKFLOW] !== undefined && found[WORKFLOW] !== here[WORKFLOW]) {
    throw new PayloadUnreadableError('the payload was encrypted for another workflow than the one it was found in');
  }
}
