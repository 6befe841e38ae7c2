import { PAYLOAD_UNREADABLE } from '../contract.ts';

/**
 * A payload that can't be read here: its key is missing or out of reach, it was changed or belongs elsewhere, or it isn't
 * encrypted and has to be. Nothing is lost by it: a worker with the key reads the payload later.
 */
export class PayloadUnreadableError extends Error {
  // The SDK makes it the type of the failure that it turns this into, by which the workflow knows it.
  override name = PAYLOAD_UNREADABLE;
}
