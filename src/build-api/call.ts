import { isUtf8 } from 'node:buffer';
import type { ClientRequest } from 'node:http';
import { TLSSocket } from 'node:tls';
import { RequestError, TimeoutError, type Got, type Response } from 'got';
import type { BuildApiTarget } from '../domain/role-build-input.ts';
import { ContractBreach, isRetryable, retryAfterMs } from './answers.ts';
import { decoded } from './content-coding.ts';
import { BuildApiError, type BuildApiErrorOptions } from './error.ts';
import { originFault } from './origins.ts';
import { redactor, type Redact } from './redact.ts';

const ANSWER_MAX_BYTES = 1024 * 1024;
const EXCERPT_MAX_CHARACTERS = 1_000;
/** Enough bytes of an error page for the excerpt and the redactor's margin, whatever characters it has. */
const LOOKED_AT_BYTES = 8 * EXCERPT_MAX_CHARACTERS;
/** The statuses of a gateway that got no answer itself. https://www.rfc-editor.org/rfc/rfc9110#status.502 */
const GATEWAY_STATUSES: readonly number[] = [502, 503, 504];
/** A shorter credential may be part of a build ID by chance. */
const CREDENTIAL_MIN_CHARACTERS = 16;

export interface BuildApiSettings {
  /** `API_ALB_FQDN`: the request's `Referer` is `{albFqdn}/proxy`. */
  albFqdn: string;
  /** Serialised as the URL standard does. */
  allowedOrigins: readonly string[];
  /** The whole request, from connect to the last byte of the answer. */
  timeoutMs: number;
  /** `BUILD_API_IDEMPOTENCY_HEADER`: carries the request ID in a POST, beside `x-amzn-RequestId`. */
  idempotencyHeader?: string | undefined;
  /** `BUILD_API_PROXY`: the HTTP proxy for every request. Without it, proxies in the environment are ignored too. */
  proxy?: string | undefined;
  /** Called after each call that its caller did not drop. */
  onCall?: (call: BuildApiCall) => void;
  /** Starts a span for each call that is sent. */
  traceCall?: ((call: TracedCall) => CallTrace) | undefined;
}

export interface TracedCall {
  method: 'GET' | 'POST';
  url: string;
  /** The path, with a placeholder for the build's ID. */
  template: string;
}

export interface CallTrace {
  /** Headers that name the span to the build API. */
  headers: Readonly<Record<string, string>>;
  /** @param end.status `undefined` if no answer came @param end.errorType why it failed, if the status doesn't say so */
  end(end: { status: number | undefined; errorType: string | undefined }): void;
}

export interface BuildApiCall {
  method: 'GET' | 'POST';
  /** `undefined` if no answer came. */
  status: number | undefined;
  /** From the request to the last byte. */
  durationMs: number;
}

/** One request and what its answer means. */
export class Call {
  readonly #settings: BuildApiSettings;
  readonly #target: BuildApiTarget;
  readonly #call: TracedCall;
  readonly #redact: Redact;

  constructor(settings: BuildApiSettings, target: BuildApiTarget, call: TracedCall) {
    this.#settings = settings;
    this.#target = target;
    this.#call = call;
    this.#redact = redactor(target.encrypted_jwt);
  }

  isCredentialIn(text: string): boolean {
    return this.#target.encrypted_jwt.length >= CREDENTIAL_MIN_CHARACTERS && this.#redact(text) !== text;
  }

  /**
   * @param parse parses the body of a 2xx answer
   * @throws BuildApiError; the reason of `signal` if it is aborted
   */
  async answer<T>(
    client: Got,
    options: { body?: string; signal?: AbortSignal },
    parse: (body: string, redact: Redact) => T,
  ): Promise<T> {
    const fault = originFault(this.#call.url, this.#settings.allowedOrigins);
    if (fault !== undefined) throw this.#error(`was not sent, since it ${fault}`);
    const body = await this.#send(client, options);
    try {
      return parse(body, this.#redact);
    } catch (err) {
      if (err instanceof ContractBreach) throw this.#error(`broke the contract: ${err.message}`, { body });
      throw err;
    }
  }

  /** @returns the body of a 2xx answer */
  async #send(client: Got, options: { body?: string; signal?: AbortSignal }): Promise<string> {
    const { method, url } = this.#call;
    const tooLong = new AbortController();
    const ownSignals = [tooLong.signal, AbortSignal.timeout(this.#settings.timeoutMs)];
    let isSent = false;
    let status: number | undefined;
    let errorType: string | undefined;
    const startedAt = performance.now();
    const span = this.#settings.traceCall?.(this.#call);
    try {
      const answer = client(url, {
        method,
        responseType: 'buffer',
        headers: { ...this.#headers(), ...span?.headers },
        body: options.body,
        signal: AbortSignal.any(options.signal === undefined ? ownSignals : [...ownSignals, options.signal]),
      });
      void answer.on('request', (request: ClientRequest) => {
        onceConnected(request, () => (isSent = true));
        request.once('response', (response) => (status = response.statusCode));
      });
      void answer.on('downloadProgress', ({ transferred }) => {
        if (transferred > ANSWER_MAX_BYTES) tooLong.abort();
      });
      return await this.#bodyOf(await answer);
    } catch (err) {
      errorType = err instanceof RequestError ? err.code : (err as Error).name;
      options.signal?.throwIfAborted();
      if (tooLong.signal.aborted) throw this.#tooLong(status);
      throw err instanceof RequestError ? this.#unanswered(err, isSent) : err;
    } finally {
      span?.end({ status, errorType });
      if (options.signal?.aborted !== true) {
        this.#settings.onCall?.({ method, status, durationMs: performance.now() - startedAt });
      }
    }
  }

  #headers(): Record<string, string> {
    const { encrypted_jwt, correlation_id } = this.#target;
    const { albFqdn, idempotencyHeader } = this.#settings;
    return {
      authorization: 'jwt',
      'encrypted-authorization': encrypted_jwt,
      'content-type': 'application/json',
      referer: `${albFqdn}/proxy`,
      'x-amzn-requestid': correlation_id,
      ...(this.#call.method === 'POST' && idempotencyHeader !== undefined
        ? { [idempotencyHeader]: correlation_id }
        : {}),
    };
  }

  async #bodyOf({ statusCode: status, statusMessage, headers, body }: Response<Uint8Array>): Promise<string> {
    const plain = await decoded(body, headers['content-encoding'], ANSWER_MAX_BYTES);
    if (plain === 'too long') throw this.#tooLong(status);
    const what = `answered ${status} ${statusMessage ?? ''}`.trimEnd();
    const beginning = plain === 'cut short' ? '' : new TextDecoder().decode(plain.subarray(0, LOOKED_AT_BYTES));
    if (status >= 200 && status < 300) {
      if (plain === 'cut short') {
        throw this.#error(`${what}, compressed, and the end is missing`, { retryable: true, unanswered: true });
      }
      if (isUtf8(plain)) return new TextDecoder().decode(plain);
      throw this.#error('broke the contract: the answer is not JSON in UTF-8', { body: beginning });
    }
    if (status >= 300 && status < 400) throw this.#error(`${what}, a redirect, which is not followed`);
    const isMaybeProxys = this.#isMaybeProxys(status);
    throw this.#error(isMaybeProxys ? `${what}, possibly the answer of BUILD_API_PROXY` : what, {
      body: beginning,
      retryable: isRetryable(status),
      unanswered: isMaybeProxys,
      retryAfterMs: retryAfterMs(headers['retry-after']),
    });
  }

  /** A proxy that forwards a request to an `http` origin may answer in its place, after passing the request on. */
  #isMaybeProxys(status: number): boolean {
    const { proxy } = this.#settings;
    return proxy !== undefined && new URL(this.#call.url).protocol === 'http:' && GATEWAY_STATUSES.includes(status);
  }

  #tooLong(status = 0): BuildApiError {
    const what = `answered ${status} with more than ${ANSWER_MAX_BYTES} bytes, the limit`;
    return this.#error(what, { retryable: isRetryable(status), unanswered: this.#isMaybeProxys(status) });
  }

  #unanswered(err: RequestError, isSent: boolean): BuildApiError {
    const what =
      err instanceof TimeoutError
        ? `was not answered within ${this.#settings.timeoutMs / 1000} s`
        : `was not answered: ${err.message} (${err.code})`;
    return this.#error(what, { retryable: true, unanswered: isSent, cause: err });
  }

  #error(what: string, options: { body?: string } & Partial<BuildApiErrorOptions> = {}): BuildApiError {
    const { method, url } = this.#call;
    const { body = '', retryable = false, ...more } = options;
    const message = `${method} ${url} ${what}`;
    const excerpt = body === '' ? '' : `: ${body.slice(0, LOOKED_AT_BYTES).trim()}`;
    // Redacts the whole text before it is cut. Otherwise a part of the credential could stay.
    const shown = this.#redact(`${message}${excerpt}`, message.length + EXCERPT_MAX_CHARACTERS);
    return new BuildApiError(shown.toWellFormed(), { ...more, retryable });
  }
}

/**
 * Calls `then` once the connection is established: Node.js writes no request before that, so the API can't have it. The
 * agent hands over a kept connection, or one through a proxy's tunnel, when it is established, and a new one earlier.
 */
function onceConnected(request: ClientRequest, then: () => void): void {
  request.once('socket', (socket) => {
    if (!socket.connecting) then();
    else socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', then);
  });
}
