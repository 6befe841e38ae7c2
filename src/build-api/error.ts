export interface BuildApiErrorOptions {
  retryable: boolean;
  unanswered?: boolean;
  retryAfterMs?: number | undefined;
  cause?: unknown;
}

export class BuildApiError extends Error {
  override name = 'BuildApiError';
  /** Whether to make another attempt: 408, 425, 429, 5xx, timeouts and broken connections. */
  readonly retryable: boolean;
  /** Whether the API may have accepted the request: it may have been sent, and no answer of the API itself came. */
  readonly unanswered: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: BuildApiErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.retryable = options.retryable;
    this.unanswered = options.unanswered ?? false;
    this.retryAfterMs = options.retryAfterMs;
  }
}
