/**
 * Encrypts payloads on their way to Temporal and decrypts them on their way back. A payload is bound to its namespace
 * and its workflow: it names both, authenticated, and they are compared with where the payload was found.
 */
import type { Payload, PayloadCodec, SerializationContext } from '@temporalio/common';
import proto from '@temporalio/proto';
import { decrypt, encrypt, headerOf, isEncrypted, type Header } from './format.ts';
import { KeyRing, quoted } from './key-ring.ts';
import { isEncrypting, type EncryptionSettings } from '../config/encryption.ts';
import { PayloadUnreadableError } from './unreadable.ts';

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;

/** Each payload may need its own call of AWS KMS for a data key. After one that can't be decoded, the rest is left. */
const DECODED_AT_ONCE = 16;

export class EncryptionCodec implements PayloadCodec {
  readonly #settings: EncryptionSettings;
  readonly #namespace: string;
  readonly #keyRing: KeyRing;

  /**
   * @param namespace for payloads whose context the SDK does not give; see docs/encryption.md
   * @throws Error if a local key is not valid
   */
  constructor(settings: EncryptionSettings, namespace: string) {
    this.#settings = settings;
    this.#namespace = namespace;
    this.#keyRing = new KeyRing(settings);
  }

  /** @returns the key that encrypts, if there is one @throws Error if the key can't encrypt or decrypt */
  async check(): Promise<string | undefined> {
    return isEncrypting(this.#settings) ? this.#keyRing.check(this.#namespace) : undefined;
  }

  /** @throws Error if AWS KMS does not make a data key */
  async encode(payloads: Payload[], context?: SerializationContext): Promise<Payload[]> {
    if (payloads.length === 0 || !isEncrypting(this.#settings)) return payloads;
    const place = this.#placeOf(context);
    const { key, ...dataKey } = await this.#keyRing.toEncrypt(place.namespace);
    const header = { ...dataKey, ...place };
    return payloads.map((payload) => encrypt(PayloadMessage.encode(payload).finish(), header, key));
  }

  /** @throws PayloadUnreadableError */
  async decode(payloads: Payload[], context?: SerializationContext): Promise<Payload[]> {
    const decoded: Payload[] = [];
    for (let from = 0; from < payloads.length; from += DECODED_AT_ONCE) {
      const some = payloads.slice(from, from + DECODED_AT_ONCE);
      decoded.push(...(await Promise.all(some.map((payload) => this.#decode(payload, this.#placeOf(context))))));
    }
    return decoded;
  }

  async #decode(payload: Payload, here: Place): Promise<Payload> {
    if (!isEncrypted(payload)) {
      if (this.#settings.required !== true) return payload;
      throw new PayloadUnreadableError('the payload is not encrypted, and ENCRYPTION_REQUIRED refuses such payloads', {
        wants: 'leave',
      });
    }
    const header = headerOf(payload);
    refuseElsewhere(header, here);
    const key = await this.#keyRing.toDecrypt(header);
    try {
      return PayloadMessage.decode(decrypt(payload, key));
    } catch (cause) {
      throw new PayloadUnreadableError(
        `the payload can't be decrypted with the key ${quoted(header.keyId)}: the key of that name is different, or the payload was changed`,
        { cause, wants: 'key' },
      );
    }
  }

  /** If the SDK gives no workflow, a payload is bound to the namespace alone. */
  #placeOf(context: SerializationContext | undefined): Place {
    return { namespace: context?.namespace ?? this.#namespace, workflowId: context?.workflowId };
  }
}

type Place = Pick<Header, 'namespace' | 'workflowId'>;

/** A caller that does not know the workflow, such as the codec server, checks the namespace alone. */
function refuseElsewhere(found: Place, here: Place): void {
  if (found.namespace !== here.namespace) {
    throw new PayloadUnreadableError(
      `the payload was encrypted for the namespace ${quoted(found.namespace)} and found in ${quoted(here.namespace)}`,
    );
  }
  if (here.workflowId !== undefined && found.workflowId !== here.workflowId) {
    throw new PayloadUnreadableError('the payload was encrypted for another workflow than the one it was found in');
  }
}
