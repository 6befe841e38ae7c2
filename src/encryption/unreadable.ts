import { PAYLOAD_UNREADABLE } from '../contract.ts';

/**
 * A payload that can't be read here: its key is missing or out of reach, it was changed or belongs elsewhere, or it isn't
 * encrypted and has to be. Nothing is lost by it: a worker with the key reads the payload later.
 */
export class PayloadUnreadableError extends Error {
  // The SDK makes it the type of the failure that it turns this into, by which the workflow knows it.
  override name = PAYLOAD_UNREADABLE;
}

/** What a user can do to read it, if anything. */
export function howToRead({ message }: Error): string | undefined {
  if (message.includes('ENCRYPTION_REQUIRED')) return 'run the command without ENCRYPTION_REQUIRED to read it';
  return message.includes(' key ') ? 'give the command the keys that the workers have (ENCRYPTION_…)' : undefined;
}
