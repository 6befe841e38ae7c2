import { PAYLOAD_UNREADABLE } from '../contract.ts';

/**
 * A payload that can't be read here: its key is missing or out of reach, it was changed or belongs elsewhere, or it isn't
 * encrypted and has to be. Nothing is lost by it: a worker with the key reads the payload later.
 */
export class PayloadUnreadableError extends Error {
  // The SDK makes it the type of the failure that it turns this into, by which the workflow knows it.
  override name = PAYLOAD_UNREADABLE;
  /** What would let it be read: a key, or that it need not be encrypted. */
  readonly wants: 'key' | 'leave' | undefined;

  constructor(message: string, { wants, ...options }: ErrorOptions & { wants?: 'key' | 'leave' } = {}) {
    super(message, options);
    this.wants = wants;
  }
}

/** What a user can do to read it, if anything. */
export function howToRead(err: Error): string | undefined {
  const { wants } = err as Partial<PayloadUnreadableError>;
  if (wants === 'leave') return 'run the command without ENCRYPTION_REQUIRED to read it';
  return wants && 'give the command the keys that the workers have (ENCRYPTION_…)';
}
