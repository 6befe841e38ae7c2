import http from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import got, { type Got } from 'got';
import { buildIdFault, type BuildStatusAnswer } from '../domain/build-status.ts';
import { ContractBreach, parseStatusAnswer, parseTriggerAnswer } from './answers.ts';
import type { BuildApiTarget } from '../domain/role-build-input.ts';
import { Call, type BuildApiSettings } from './call.ts';
import { BuildApiError } from './error.ts';

/** Closes idle connections before common servers do (5 s in Node.js), so that no request reuses a closed one. */
const IDLE_CONNECTION_MS = 4_000;

/** Closes a connection whose tunnel is refused or hangs in TLS. Node.js leaves it open and the request waiting. */
class TunnelAgent extends https.Agent {
  readonly #timeoutMs: number;

  constructor(options: https.AgentOptions, timeoutMs: number) {
    super(options);
    this.#timeoutMs = timeoutMs;
  }

  override createConnection(
    options: https.RequestOptions,
    done?: (err: Error | null, socket: Duplex) => void,
  ): Duplex | null | undefined {
    // The time limit of idle connections does not apply while a tunnel is set up.
    const connection = super.createConnection({ ...options, timeout: undefined }, (err, socket) => {
      clearTimeout(timer);
      if (err) connection?.destroy();
      done?.(err, socket);
    });
    const timer = setTimeout(() => connection?.destroy(), this.#timeoutMs);
    return connection;
  }
}

/** Client of the build API, with the state machine's five headers. A call is one request; Temporal owns the retries. */
export class BuildApi {
  readonly #settings: BuildApiSettings;
  readonly #got: Got;

  constructor(settings: BuildApiSettings) {
    this.#settings = settings;
    const { proxy, timeoutMs } = settings;
    // Node.js's global agents take proxies from the environment if NODE_USE_ENV_PROXY is set. These don't.
    const keepAlive = { keepAlive: true, timeout: IDLE_CONNECTION_MS };
    const agent =
      proxy === undefined
        ? { http: new http.Agent(keepAlive), https: new https.Agent(keepAlive) }
        : {
            http: new http.Agent({ ...keepAlive, proxyEnv: { HTTP_PROXY: proxy } }),
            https: new TunnelAgent({ ...keepAlive, proxyEnv: { HTTPS_PROXY: proxy } }, timeoutMs),
          };
    this.#got = got.extend({
      retry: { limit: 0 },
      followRedirect: false,
      throwHttpErrors: false,
      // `decoded` decompresses a complete answer, so that its compressed and its decompressed size are limited.
      decompress: false,
      agent,
      headers: { 'user-agent': undefined, 'accept-encoding': 'identity' },
    });
  }

  /** `POST {url}/build`. The caller can't drop it. @throws BuildApiError */
  async triggerBuild(target: BuildApiTarget, buildBody: unknown): Promise<{ build_id: string }> {
    const url = `${target.url}/build`;
    const call = new Call(this.#settings, target, { method: 'POST', url, template: '/build' });
    return call.answer(this.#got, { body: JSON.stringify(buildBody) }, (body) => {
      const answer = parseTriggerAnswer(body);
      if (call.isCredentialIn(answer.build_id)) throw new ContractBreach('build_id holds the credential');
      return answer;
    });
  }

  /** `GET {url}/build/{build_id}`. @param signal drops the call @throws BuildApiError */
  async getBuildStatus(target: BuildApiTarget, buildId: string, signal: AbortSignal): Promise<BuildStatusAnswer> {
    const fault = buildIdFault(buildId);
    if (fault !== undefined) {
      throw new BuildApiError(`GET ${target.url}/build was not sent: ${fault}`, { retryable: false });
    }
    const url = `${target.url}/build/${encodeURIComponent(buildId)}`;
    const call = new Call(this.#settings, target, { method: 'GET', url, template: '/build/{build_id}' });
    return call.answer(this.#got, { signal }, parseStatusAnswer);
  }
}
