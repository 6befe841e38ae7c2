export interface BuildApiErrorOptions {
  retryable: boolean;
  unanswered?: boolean;
  retryAfterMs?: number | undefined;
  cause?: unknown;
}

/** Why a call of the build API failed. */
export class BuildApiError extends Error {
  override name = 'BuildApiError';
  /** Whether to make another attempt: 408, 425, 429, 5xx, timeouts and broken connections. */
  readonly retryable: boolean;
  /** Whether the API may have taken the request all the same: no answer of its own came, and the request may have been sent. */
  readonly unanswered: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: BuildApiErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.retryable = options.retryable;
    this.unanswered = options.unanswered ?? false;
    this.retryAfterMs = options.retryAfterMs;
  }
}
