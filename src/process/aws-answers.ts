/** The AWS SDK's own time limit ends when the headers of an answer arrive, so the body needs a limit of its own. */
import { addAbortSignal, type Readable } from 'node:stream';

/** DynamoDB reads at most 16 MB of items in one request, and JSON makes them longer. */
const MAX_BYTES = 64 * 1024 * 1024;

interface AwsClient {
  config: {
    requestHandler: { handle(request: unknown, options?: unknown): Promise<{ response: { body: Readable } }> };
  };
}

/**
 * Limits each answer to a client's requests, and to the requests by which the client gets its credentials.
 *
 * @param timeoutMs from the request to the last byte; until the headers arrive, the SDK's own limit applies
 */
export function limitAnswers({ config: { requestHandler } }: AwsClient, timeoutMs: number): void {
  const handle = requestHandler.handle.bind(requestHandler);
  requestHandler.handle = async (...request) => {
    const deadline = AbortSignal.timeout(timeoutMs);
    const { response } = await handle(...request);
    try {
      const body = await wholeBody(addAbortSignal(deadline, response.body));
      return { response: Object.assign(response, { body }) };
    } catch (err) {
      if (!deadline.aborted) throw err;
      const message = `the answer did not end within ${timeoutMs / 1000} s`;
      // The SDK retries a request that fails with an error of this name.
      throw Object.assign(new Error(message, { cause: err }), { name: 'TimeoutError' });
    }
  };
}

async function wholeBody(body: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BYTES)
      throw Object.assign(new Error(`the answer is longer than ${MAX_BYTES} bytes`), { code: 'ERR_BUFFER_TOO_LARGE' });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
