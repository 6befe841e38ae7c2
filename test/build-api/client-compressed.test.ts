/** Answers that are compressed although the request did not accept that. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import zlib from 'node:zlib';
import { CALLS, clientOf, failureOf, get, post, serve } from './client-fixture.ts';

const ANSWER_MAX_BYTES = 1024 * 1024;

type Compress = (text: string | Buffer) => Buffer;

/** The fastest level, because a bomb has 200 MiB before compression. */
const gzip: Compress = (text) => zlib.gzipSync(text, { level: 1 });
const br: Compress = (text) => zlib.brotliCompressSync(text, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } });

const CODINGS: Readonly<Record<string, Compress>> = {
  gzip,
  'x-gzip': gzip,
  GZIP: gzip,
  deflate: (text) => zlib.deflateSync(text, { level: 1 }),
  br,
  zstd: (text) => zlib.zstdCompressSync(text),
  'identity, gzip': gzip,
  'br, gzip': (text) => gzip(br(text)),
};

const bombs = new Map<Compress, Buffer>();

const BOMB = Buffer.alloc(128 * ANSWER_MAX_BYTES, ' ');

/** Made once for all names of a content coding. */
function bombOf(compress: Compress): Buffer {
  let bomb = bombs.get(compress);
  if (bomb === undefined) bombs.set(compress, (bomb = compress(BOMB)));
  return bomb;
}

/** An API with one answer. @returns its client and address */
async function apiThat(
  t: TestContext,
  { status = 200, coding, body }: { status?: number; coding: string; body: Buffer | string },
): Promise<[client: ReturnType<typeof clientOf>, at: string]> {
  const at = await serve(t, (req, res) => {
    req.resume();
    res.writeHead(status, { 'content-encoding': coding, 'content-type': 'application/json' }).end(body);
  });
  return [clientOf({ origins: [at] }), at];
}

const json = JSON.stringify({ build_id: 'b-1', build_status: 'SUCCEEDED', filler: 'x'.repeat(5_000) });

describe('an answer that is compressed', () => {
  for (const [coding, compress] of Object.entries(CODINGS)) {
    it(`an answer that is compressed as ${coding} is decoded`, async (t) => {
      const [client, at] = await apiThat(t, { coding, body: compress(json) });
      assert.deepEqual(await post(client, at), { build_id: 'b-1' });
      assert.deepEqual(await get(client, at), { can_retry: false, build_status: 'SUCCEEDED' });
    });

    it(`an answer that is compressed as ${coding} may have 1 MiB when decoded, and a bomb is not decoded`, async (t) => {
      const fits = JSON.stringify({ build_id: 'b-1', filler: '' });
      const whole = fits.replace('""', `"${'x'.repeat(ANSWER_MAX_BYTES - fits.length)}"`);
      assert.deepEqual(await post(...(await apiThat(t, { coding, body: compress(whole) }))), { build_id: 'b-1' });
      for (const body of [compress(`${whole} `), bombOf(compress)]) {
        const { rss } = process.memoryUsage();
        const failure = await failureOf(post(...(await apiThat(t, { coding, body }))));
        assert.deepEqual([failure.retryable, failure.unanswered], [false, false]);
        assert.match(failure.message, /answered 200 with more than 1048576 bytes, the limit$/);
        assert.ok(process.memoryUsage().rss - rss < 96 * ANSWER_MAX_BYTES);
      }
      const failure = await failureOf(
        post(...(await apiThat(t, { status: 503, coding, body: compress(`${whole} `) }))),
      );
      assert.equal(failure.retryable, true);
    });

    for (const { name, call } of CALLS) {
      it(`an answer that is compressed as ${coding} and is cut short is no answer to ${name}`, async (t) => {
        const body = compress(json);
        for (const bytes of [1, 10, Math.floor(body.length / 2), body.length - 1]) {
          const failure = await failureOf(call(...(await apiThat(t, { coding, body: body.subarray(0, bytes) }))));
          assert.deepEqual([failure.retryable, failure.unanswered], [true, true], `${bytes} bytes: ${failure.message}`);
        }
      });

      it(`an answer that is compressed as ${coding} shows why it refused ${name}`, async (t) => {
        for (const [status, retryable] of [
          [422, false],
          [503, true],
        ] as const) {
          const body = compress('{"message":"no such type"}');
          const failure = await failureOf(call(...(await apiThat(t, { status, coding, body }))));
          assert.deepEqual([failure.retryable, failure.unanswered], [retryable, false]);
          assert.match(failure.message, new RegExp(`answered ${status} .*: {"message":"no such type"}$`));
        }
      });

      it(`an answer that is compressed as ${coding} and is cut short still refuses ${name} if its status does`, async (t) => {
        const body = compress('{"message":"no such type"}').subarray(0, 12);
        const failure = await failureOf(call(...(await apiThat(t, { status: 404, coding, body }))));
        assert.deepEqual([failure.retryable, failure.unanswered], [false, false]);
        assert.match(failure.message, /answered 404 Not Found$/);
      });
    }
  }

  it('an answer that is compressed as deflate without the zlib wrapper, as some servers send it, is decoded', async (t) => {
    const [client, at] = await apiThat(t, { coding: 'deflate', body: zlib.deflateRawSync(json) });
    assert.deepEqual(await post(client, at), { build_id: 'b-1' });
  });

  it('an answer that only claims to be compressed is taken as it is', async (t) => {
    for (const coding of ['gzip', 'br', 'zstd', 'deflate', 'utf-8', 'compress', 'constructor', 'gzip, br, gzip, br']) {
      assert.deepEqual(await post(...(await apiThat(t, { coding, body: json }))), { build_id: 'b-1' }, coding);
    }
  });

  it('an answer that is compressed in an unknown coding, or is corrupt, breaks the contract', async (t) => {
    const broken = zlib.gzipSync(json);
    broken.fill(0xff, 20, 40);
    for (const [coding, body] of [
      ['compress', zlib.gzipSync(json)],
      ['gzip', broken],
      ['br', zlib.gzipSync(json)],
      ['gzip, gzip, gzip, gzip', zlib.gzipSync(json)],
    ] as const) {
      for (const { call } of CALLS) {
        const failure = await failureOf(call(...(await apiThat(t, { coding, body }))));
        assert.deepEqual([failure.retryable, failure.unanswered], [false, false], coding);
        assert.match(failure.message, /broke the contract: the answer is not JSON/);
      }
    }
  });

  it('an answer that is compressed and empty is empty', async (t) => {
    const failure = await failureOf(post(...(await apiThat(t, { status: 400, coding: 'gzip', body: '' }))));
    assert.match(failure.message, /answered 400 Bad Request$/);
  });
});
