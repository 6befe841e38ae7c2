/** Where the client sends requests, whatever `url` and `build_id` are. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createSimulatedBuildApi } from '../../dev/simulated-build-api/server.ts';
import { originFault } from '../../src/build-api/origins.ts';
import { inputFaults } from '../../src/domain/validate-input.ts';
import { sampleInput } from '../domain/sample-input.ts';
import { buildIdTricks, urlTricks } from '../support/url-tricks.ts';
import {
  api,
  CALLS,
  clientOf,
  failureOf,
  get,
  never,
  post,
  request,
  url,
  useSimulatedBuildApi,
} from './client-fixture.ts';

useSimulatedBuildApi();

/** A server that would answer, but gets no request. */
const trap = createSimulatedBuildApi();
let elsewhere: string;
let reached = 0;
before(async () => {
  trap.server.on('connection', () => (reached += 1));
  elsewhere = new URL(await trap.listen()).host;
});
after(() => trap.close());

function isRefused(at: string): boolean {
  return inputFaults({ ...sampleInput(), url: at }).length > 0 || originFault(at, [url]) !== undefined;
}

describe('a url', () => {
  it('a url leads to its listed origin or nowhere, whatever trick it has', async () => {
    for (const trick of urlTricks(url, elsewhere)) {
      const what = `${trick.name}: ${JSON.stringify(trick.url)}`;
      assert.equal(isRefused(trick.url), trick.isRefused, what);
      for (const { call } of CALLS) {
        api.clearRequests();
        const outcome = await call(clientOf(), trick.url).then(
          () => 'answered',
          (err: Error) => err.message,
        );
        if (trick.leadsTo === 'listed') continue;
        assert.match(outcome, /was not sent, since it (is not a|has )/, what);
        assert.equal(api.requests().length, 0, what);
      }
      // A url that passes the check leads to the origin that the check returns.
      if (!trick.isRefused) assert.equal(api.requests().length, 1, what);
    }
    assert.equal(reached, 0);
  });

  it('a url with credentials, a query or a fragment gets no request, even if no check came before', async () => {
    for (const [at, why] of [
      [url.replace('//', '//user:password@'), /has credentials in it/],
      [`${url}?`, /has a query or a fragment/],
      [`${url}/#x`, /has a query or a fragment/],
      [`blob:${url}`, /is not an http or https URL/],
    ] as const) {
      for (const { call } of CALLS) {
        const { retryable, unanswered, message } = await failureOf(call(clientOf(), at));
        assert.deepEqual([retryable, unanswered], [false, false]);
        assert.match(message, why);
      }
    }
    assert.equal(api.requests().length, 0);
  });

  it('a url gets no request over http if https is listed, nor if only a part of its host is listed', async () => {
    for (const [listed, at] of [
      [url.replace('http:', 'https:'), url],
      ['https://builds.example.com', 'http://builds.example.com'],
      ['https://builds.example.com', 'https://builds.example.com.'],
      ['https://builds.example.com', 'https://builds.example.com:8443'],
      ['https://builds.example.com', 'https://builds.example.com.evil.example'],
      ['https://builds.example.com', 'https://evil.builds.example.com'],
      ['https://builds.example.com', 'https://builds.example.com@evil.example'],
      ['https://builds.example.com', 'https://builds.example.com%2eevil.example'],
      ['https://builds.example.com', 'https://bui1ds.example.com'],
      ['https://builds.example.com', 'https://buılds.example.com'],
      ['https://xn--bcher-kva.example', 'https://bucher.example'],
    ] as const) {
      assert.notEqual(originFault(at, [listed]), undefined, at);
      assert.match((await failureOf(post(clientOf({ origins: [listed] }), at))).message, /was not sent/);
    }
    for (const [listed, at] of [
      ['https://builds.example.com', 'HTTPS://BUILDS.example.COM:443/v1'],
      ['https://xn--bcher-kva.example', 'https://BÜCHER.example'],
      ['https://builds.example.com', 'https://ｂuilds.example.com'],
    ] as const) {
      assert.equal(originFault(at, [listed]), undefined, at);
    }
    assert.equal(api.requests().length, 0);
  });
});

describe('a build_id', () => {
  it('a build_id stays one path segment at the listed origin, whatever trick it has', async () => {
    for (const buildId of buildIdTricks(elsewhere)) {
      api.clearRequests();
      await get(clientOf(), url, buildId).catch(() => {});
      const [sent, ...more] = api.requests();
      assert.deepEqual(more, []);
      assert.match(sent?.path ?? '', /^\/build\/[^/?#\\]+$/, buildId);
      assert.equal(decodeURIComponent(sent?.path.slice('/build/'.length) ?? ''), buildId);
    }
    assert.equal(reached, 0);
  });

  for (const buildId of ['', '.', '..', '\ud800', 'x'.repeat(2_049)]) {
    it(`a build_id that is ${JSON.stringify(buildId.slice(0, 10))} is never sent, wherever it came from`, async () => {
      const failure = await failureOf(clientOf().getBuildStatus(request(), buildId, never));
      assert.equal(failure.retryable, false);
      assert.match(failure.message, /was not sent: build_id/);
      assert.equal(api.requests().length, 0);
    });
  }
});

describe('a proxy', () => {
  it('a proxy is used if the settings name one, with an unchanged request', async () => {
    const proxied: string[] = [];
    const proxy = createSimulatedBuildApi();
    proxy.server.prependListener('request', ({ url: target = '' }: { url?: string }) => void proxied.push(target));
    const address = await proxy.listen();
    try {
      await post(clientOf({ proxy: address })).catch(() => {});
      assert.deepEqual(proxied, [`${url}/build`]);
      assert.equal(api.requests().length, 0);
    } finally {
      await proxy.close();
    }
  });
});
