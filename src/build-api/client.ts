import http from 'node:http';
import https from 'node:https';
import got, { RequestError, TimeoutError, type Got, type Response } from 'got';
import type { BuildStatusAnswer } from '../domain/build-status.ts';
import { clip } from '../domain/failures.ts';
import { buildIdFault, ContractBreach, parseStatusAnswer, parseTriggerAnswer } from './answers.ts';
import type { AllowedOrigins } from './origins.ts';
import { redactor } from './redact.ts';

const ANSWER_MAX_BYTES = 1024 * 1024;
/** An idle connection is closed before common servers close theirs (5 s in Node.js), so that none is reused too late. */
const IDLE_CONNECTION_MS = 4_000;
const EXCERPT_MAX_CHARACTERS = 1_000;
/** So much of an answer is looked through for the credential; far more than is kept of it. */
const LOOKED_AT_MAX_CHARACTERS = 65_536;
/** A shorter credential may be part of a build ID by chance. */
const CREDENTIAL_MIN_CHARACTERS = 16;

export interface BuildApiSettings {
  /** `API_ALB_FQDN`: the request's `Referer` is `{albFqdn}/proxy`. */
  albFqdn: string;
  allowedOrigins: AllowedOrigins;
  /** The whole request, from connect to the last byte of the answer. */
  timeoutMs: number;
  /** `BUILD_API_IDEMPOTENCY_HEADER`: carries the request ID in a POST, beside `x-amzn-RequestId`. */
  idempotencyHeader?: string | undefined;
  /** `BUILD_API_PROXY`: the HTTP proxy that every request goes through. Without it none does, whatever the environment says. */
  proxy?: string | undefined;
  /** Told of every call that was not dropped by its caller, once it is over. */
  onCall?: (call: BuildApiCall) => void;
  /** Makes a span of every call that is sent. */
  traceCall?: (call: TracedCall) => CallTrace;
}

export interface TracedCall {
  method: 'GET' | 'POST';
  url: string;
  /** Its path without the build's ID. */
  template: string;
}

export interface CallTrace {
  /** That name the span to the build API. */
  headers: Readonly<Record<string, string>>;
  /** @param end.status `undefined` where no answer came @param end.errorType why it failed, where the status doesn't say so */
  end(end: { status: number | undefined; errorType: string | undefined }): void;
}

export interface BuildApiCall {
  method: 'GET' | 'POST';
  /** `undefined` where no answer came. */
  status: number | undefined;
  /** From the request to the last byte. */
  durationMs: number;
}

export interface BuildApiRequest {
  url: string;
  encrypted_jwt: string;
  correlation_id: string;
}

/** Why a call of the build API failed. */
export class BuildApiError extends Error {
  override name = 'BuildApiError';
  /** Whether to make another attempt: 408, 425, 429, 5xx, timeouts and broken connections. */
  readonly retryable: boolean;
  /** Whether the request may have been taken all the same: it was sent, and no answer came. */
  readonly unanswered: boolean;
  /** What an answer's `Retry-After` asks for. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    options: { retryable: boolean; unanswered?: boolean; retryAfterMs?: number | undefined; cause?: unknown },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.retryable = options.retryable;
    this.unanswered = options.unanswered ?? false;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** The build API, with the original's five request headers. A call is one request; Temporal owns the retries. */
export class BuildApi {
  readonly #settings: BuildApiSettings;
  readonly #got: Got;

  constructor(settings: BuildApiSettings) {
    this.#settings = settings;
    // Agents of our own: Node.js's global ones take proxies from the environment under NODE_USE_ENV_PROXY.
    const agent = {
      keepAlive: true,
      timeout: IDLE_CONNECTION_MS,
      ...(settings.proxy === undefined
        ? {}
        : { proxyEnv: { HTTP_PROXY: settings.proxy, HTTPS_PROXY: settings.proxy } }),
    };
    this.#got = got.extend({
      retry: { limit: 0 },
      timeout: { request: settings.timeoutMs },
      followRedirect: false,
      throwHttpErrors: false,
      // Not asked for, so an answer that is compressed all the same is no JSON.
      decompress: false,
      agent: { http: new http.Agent(agent), https: new https.Agent(agent) },
      headers: { 'user-agent': undefined },
    });
  }

  /** `POST {url}/build`. Once begun it is let finish. @throws BuildApiError */
  async triggerBuild(request: BuildApiRequest, buildBody: unknown): Promise<{ build_id: string }> {
    const call = new Call(this.#settings, request, 'POST', `${request.url}/build`, '/build');
    return call.parse(await call.send(this.#got, { body: JSON.stringify(buildBody) }), (body) => {
      const answer = parseTriggerAnswer(body);
      if (call.isCredentialIn(answer.build_id)) throw new ContractBreach('build_id holds the credential');
      return answer;
    });
  }

  /** `GET {url}/build/{build_id}`. @param signal drops it @throws BuildApiError */
  async getBuildStatus(request: BuildApiRequest, buildId: string, signal: AbortSignal): Promise<BuildStatusAnswer> {
    const fault = buildIdFault(buildId);
    if (fault !== undefined) {
      throw new BuildApiError(`GET ${request.url}/build was not sent: ${fault}`, { retryable: false });
    }
    const url = `${request.url}/build/${encodeURIComponent(buildId)}`;
    const call = new Call(this.#settings, request, 'GET', url, '/build/{build_id}');
    return call.parse(await call.send(this.#got, { signal }), (body) => parseStatusAnswer(body, call.redact));
  }
}

/** One request and what its answer means. */
class Call {
  readonly #settings: BuildApiSettings;
  readonly #request: BuildApiRequest;
  readonly #method: 'GET' | 'POST';
  readonly #url: string;
  readonly #template: string;
  readonly #redact: (text: string) => string;

  constructor(
    settings: BuildApiSettings,
    request: BuildApiRequest,
    method: 'GET' | 'POST',
    url: string,
    template: string,
  ) {
    this.#settings = settings;
    this.#request = request;
    this.#method = method;
    this.#url = url;
    this.#template = template;
    this.#redact = redactor(request.encrypted_jwt);
  }

  /** Takes the credential out of text that is going to be kept, should the API have echoed it. */
  readonly redact = (text: string): string => this.#redact(text.slice(0, LOOKED_AT_MAX_CHARACTERS));

  isCredentialIn(text: string): boolean {
    return this.#request.encrypted_jwt.length >= CREDENTIAL_MIN_CHARACTERS && this.redact(text) !== text;
  }

  /** @returns the body of a 2xx answer */
  async send(client: Got, options: { body?: string; signal?: AbortSignal }): Promise<string> {
    const fault = this.#settings.allowedOrigins.faultOf(this.#url);
    if (fault !== undefined) throw this.#final(`was not sent, since it ${fault}`);

    const { idempotencyHeader } = this.#settings;
    const tooLong = new AbortController();
    const signals = [tooLong.signal, ...(options.signal === undefined ? [] : [options.signal])];
    let status: number | undefined;
    let errorType: string | undefined;
    const startedAt = performance.now();
    const span = this.#settings.traceCall?.({ method: this.#method, url: this.#url, template: this.#template });
    try {
      const answer = client(this.#url, {
        method: this.#method,
        responseType: 'buffer',
        headers: {
          authorization: 'jwt',
          'encrypted-authorization': this.#request.encrypted_jwt,
          'content-type': 'application/json',
          referer: `${this.#settings.albFqdn}/proxy`,
          'x-amzn-requestid': this.#request.correlation_id,
          ...(this.#method === 'POST' && idempotencyHeader !== undefined
            ? { [idempotencyHeader]: this.#request.correlation_id }
            : {}),
          ...span?.headers,
        },
        ...(options.body === undefined ? {} : { body: options.body }),
        signal: AbortSignal.any(signals),
      });
      void answer.on('request', (request: http.ClientRequest) => {
        request.once('response', (response) => (status = response.statusCode));
      });
      void answer.on('downloadProgress', ({ transferred }) => {
        if (transferred > ANSWER_MAX_BYTES) tooLong.abort();
      });
      return this.#checkStatus(await answer);
    } catch (err) {
      errorType = err instanceof RequestError ? err.code : (err as Error).name;
      if (err instanceof BuildApiError) throw err;
      options.signal?.throwIfAborted();
      if (tooLong.signal.aborted) throw this.#tooLong(status);
      throw this.#unanswered(err);
    } finally {
      span?.end({ status, errorType });
      if (options.signal?.aborted !== true) {
        this.#settings.onCall?.({ method: this.#method, status, durationMs: performance.now() - startedAt });
      }
    }
  }

  parse<T>(body: string, parse: (body: string) => T): T {
    try {
      return parse(body);
    } catch (err) {
      if (err instanceof ContractBreach) throw this.#final(`broke the contract: ${err.message}${this.#excerpt(body)}`);
      throw err;
    }
  }

  #checkStatus(answer: Response<Uint8Array>): string {
    const { statusCode: status, statusMessage, headers } = answer;
    const body = new TextDecoder().decode(answer.body);
    if (status >= 200 && status < 300) return body;
    const what = `answered ${status} ${statusMessage ?? ''}`.trimEnd();
    if (status >= 300 && status < 400) throw this.#final(`${what}, a redirect, which is not followed`);
    if (!isRetryable(status)) throw this.#final(`${what}${this.#excerpt(body)}`);
    throw new BuildApiError(this.#message(`${what}${this.#excerpt(body)}`), {
      retryable: true,
      retryAfterMs: retryAfterMs(headers['retry-after']),
    });
  }

  #tooLong(status: number | undefined): BuildApiError {
    const what = `answered ${status} with more than ${ANSWER_MAX_BYTES} bytes, the limit`;
    return status !== undefined && isRetryable(status)
      ? new BuildApiError(this.#message(what), { retryable: true })
      : this.#final(what);
  }

  #unanswered(err: unknown): BuildApiError {
    if (!(err instanceof RequestError)) throw err;
    const { timings } = err;
    const connected = this.#url.startsWith('https:') ? timings?.secureConnect : timings?.connect;
    const sent = connected !== undefined || (err.request?.reusedSocket ?? false);
    const what =
      err instanceof TimeoutError
        ? `was not answered within ${this.#settings.timeoutMs / 1000} s`
        : `was not answered: ${err.message} (${err.code})`;
    return new BuildApiError(this.#message(what), { retryable: true, unanswered: sent, cause: err });
  }

  #final(what: string): BuildApiError {
    return new BuildApiError(this.#message(what), { retryable: false });
  }

  #message(what: string): string {
    return this.redact(`${this.#method} ${this.#url} ${what}`).toWellFormed();
  }

  #excerpt(body: string): string {
    if (body === '') return '';
    // JSON can spell a character in several ways: written anew, there is one.
    const text = isJson(body) ? JSON.stringify(JSON.parse(body)) : body;
    // Before it is cut, lest a part of the credential stay.
    return `: ${clip(this.redact(text), EXCERPT_MAX_CHARACTERS)}`;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function isRetryable(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500;
}

/** `Retry-After` in seconds or as a date. https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
function retryAfterMs(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}
