import { PAYLOAD_UNREADABLE } from '../contract.ts';

/**
 * A payload can't be read here: its key is missing or unavailable, it was changed or belongs elsewhere, or it isn't
 * encrypted and has to be. Nothing is lost: a worker with the key can read the payload later.
 */
export class PayloadUnreadableError extends Error {
  // The SDK uses the name as the type of the failure that it makes of this error; the workflow recognizes it by that.
  override name = PAYLOAD_UNREADABLE;
  /** What would make it readable: `key`, the right key; `leave`, permission for unencrypted payloads. */
  readonly wants: 'key' | 'leave' | undefined;

  constructor(message: string, { wants, ...options }: ErrorOptions & { wants?: 'key' | 'leave' } = {}) {
    super(message, options);
    this.wants = wants;
  }
}

/** Returns what a user can do to read the payload, if anything. */
export function howToRead(err: Error): string | undefined {
  const { wants } = err as Partial<PayloadUnreadableError>;
  if (wants === 'leave') return 'run the command without ENCRYPTION_REQUIRED to read it';
  return wants && 'give the command the keys that the workers have (ENCRYPTION_…)';
}
