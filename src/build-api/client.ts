import http from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import got, { type Got } from 'got';
import { buildIdFault, type BuildStatusAnswer } from '../domain/build-status.ts';
import { ContractBreach, parseStatusAnswer, parseTriggerAnswer } from './answers.ts';
import type { BuildApiTarget } from '../domain/role-build-input.ts';
import { Call, type BuildApiSettings } from './call.ts';
import { BuildApiError } from './error.ts';

/** An idle connection is closed before common servers close theirs (5 s in Node.js), so that none is reused too late. */
const IDLE_CONNECTION_MS = 4_000;

/** Node.js leaves a proxy's connection open that refused a tunnel, or in whose tunnel TLS does not come about, and its request waiting. */
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
    // The time of an idle connection is none to wait for a tunnel.
    const connection = super.createConnection({ ...options, timeout: undefined }, (err, socket) => {
      clearTimeout(timer);
      if (err) connection?.destroy();
      done?.(err, socket);
    });
    const timer = setTimeout(() => connection?.destroy(), this.#timeoutMs);
    return connection;
  }
}

/** The build API, with the state machine's five request headers. A call is one request; Temporal owns the retries. */
export class BuildApi {
  readonly #settings: BuildApiSettings;
  readonly #got: Got;

  constructor(settings: BuildApiSettings) {
    this.#settings = settings;
    const { proxy, timeoutMs } = settings;
    // Agents of our own: Node.js's global ones take proxies from the environment under NODE_USE_ENV_PROXY.
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
      // An answer that is compressed all the same is decoded once it is there, so that its size is bounded on both sides.
      decompress: false,
      agent,
      headers: { 'user-agent': undefined, 'accept-encoding': 'identity' },
    });
  }

  /** `POST {url}/build`. Once begun, its caller can't drop it. @throws BuildApiError */
  async triggerBuild(target: BuildApiTarget, buildBody: unknown): Promise<{ build_id: string }> {
    const url = `${target.url}/build`;
    const call = new Call(this.#settings, target, { method: 'POST', url, template: '/build' });
    return call.answer(this.#got, { body: JSON.stringify(buildBody) }, (body) => {
      const answer = parseTriggerAnswer(body);
      if (call.isCredentialIn(answer.build_id)) throw new ContractBreach('build_id holds the credential');
      return answer;
    });
  }

  /** `GET {url}/build/{build_id}`. @param signal drops it @throws BuildApiError */
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
