/** `start` that does not wait: with one bare call where that will do, with Temporal's client where it won't, and alike. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { startCli } from '../../dev/stack.ts';
import { workflowIdOf } from '../../src/contract.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { createDataConverter } from '../../src/encryption/data-converter.ts';
import { readEncryptionSettings } from '../../src/config.ts';
import { keysText, newKey } from '../encryption/keys.ts';
import { loadedIn } from '../support/print-loaded.ts';
import { ACCOUNT, CREDENTIAL, inputFor, parseJson, startTestStack, type TestStack } from './harness.ts';

const PRINT_LOADED = new URL('../support/print-loaded.ts', import.meta.url).href;
const KEYS = { ENCRYPTION_KEYS: keysText(newKey('key-a')) };
/** Has Temporal's client make the start, since the bare call knows no proxy; and keeps gRPC from going through this one. */
const WITH_CLIENT = { grpc_proxy: 'http://127.0.0.1:9', no_grpc_proxy: '127.0.0.1' };

describe('a start that does not wait', { concurrency: 4 }, () => {
  let stack: TestStack;
  let connection: Connection;
  let client: Client;
  before(async () => {
    stack = await startTestStack();
    connection = await Connection.connect({ address: stack.temporal.address });
    client = new Client({ connection });
  });
  after(async () => {
    await connection.close();
    await stack.stop();
  });

  /** @param settings beside the stack's; those that are `undefined` are left out */
  async function start(input: RoleBuildInput, settings: Record<string, string | undefined> = {}, ...more: string[]) {
    const all = { ...stack.settings, NODE_OPTIONS: `--import ${PRINT_LOADED}`, ...settings };
    const given = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined);
    const { result: ended } = startCli(['start', '--input', '-', '--json', ...more], Object.fromEntries(given), {
      stdin: JSON.stringify(input),
    });
    const result = await ended;
    const usedClient = loadedIn(result.stderr).some((url) => url.includes('/@temporalio/client/'));
    return { ...result, json: parseJson(result), usedClient };
  }

  async function startedEvent(input: RoleBuildInput) {
    const handle = client.workflow.getHandle(workflowIdOf(ACCOUNT, input.ddb_composite_sort_key));
    const { events = [] } = await handle.fetchHistory();
    const [first] = events ?? [];
    assert.ok(first?.workflowExecutionStartedEventAttributes);
    return { event: first, attributes: first.workflowExecutionStartedEventAttributes, handle };
  }

  it('makes the start that Temporal’s client makes, without loading it', async () => {
    const [quick, slow] = [inputFor(stack, 'same'), inputFor(stack, 'same-by-client')];
    const [one, other] = [await start(quick), await start(slow, WITH_CLIENT)];
    assert.deepEqual([one.code, one.usedClient, other.code, other.usedClient], [0, false, 0, true]);
    assert.deepEqual(Object.keys(one.json), Object.keys(other.json));

    const [a, b] = [await startedEvent(quick), await startedEvent(slow)];
    assert.equal(a.attributes.firstExecutionRunId, one.json['job_id']);
    const own = (event: typeof a) =>
      JSON.parse(
        JSON.stringify({
          ...event.attributes,
          summary: event.event.userMetadata?.summary,
          header: null,
          // In Base64, so that payloads are seen whole.
          input: Buffer.from(event.attributes.input?.payloads?.[0]?.data ?? '').toString(),
        }).replaceAll(/same(-by-client)?/g, 'same'),
        // Run IDs differ, and what is made of them.
        (key, value: unknown) => (/RunId|eventId/.test(key) ? undefined : value),
      ) as unknown;
    assert.deepEqual(withoutData(own(a)), withoutData(own(b)));
    const attributesOf = async (of: typeof a) => {
      const { typedSearchAttributes } = await of.handle.describe();
      const values = typedSearchAttributes.getAll().map(({ key, value }) => `${key.name} ${key.type} ${String(value)}`);
      return values.map((value) => value.replace('same-by-client', 'same')).sort();
    };
    assert.deepEqual(await attributesOf(a), await attributesOf(b));
    assert.equal((await attributesOf(a)).length, 8);
  });

  it('is refused alike, with exit code 3, where a build is in progress; --attach joins it', async () => {
    const input = inputFor(stack, 'held');
    const first = await start(input);
    const refused = await start(input);
    assert.deepEqual([refused.code, refused.usedClient], [3, true]);
    assert.deepEqual(refused.json, (await start(input, WITH_CLIENT)).json);
    assert.equal(refused.json['job_id'], first.json['job_id']);
    const attached = await start(input, {}, '--attach');
    assert.deepEqual(
      [attached.code, attached.json['attached'], attached.json['job_id']],
      [0, true, first.json['job_id']],
    );
  });

  it('fails alike where the namespace is unknown, the address is wrong or nobody is there', async () => {
    const input = inputFor(stack, 'astray');
    for (const wrong of [{ TEMPORAL_NAMESPACE: 'nowhere' }, { TEMPORAL_ADDRESS: '127.0.0.1:9' }]) {
      const [quick, slow] = [await start(input, wrong), await start(input, { ...wrong, ...WITH_CLIENT })];
      assert.equal(quick.code, 5, quick.stderr);
      assert.deepEqual(quick.json, slow.json);
    }
  });

  it('goes where temporal.toml says', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'toml-'));
    const file = join(folder, 'temporal.toml');
    await writeFile(file, `[profile.default]\naddress = "${stack.temporal.address}"\nnamespace = "default"\n`);
    const input = inputFor(stack, 'toml');
    const result = await start(input, { TEMPORAL_ADDRESS: undefined, TEMPORAL_CONFIG_FILE: file });
    await rm(folder, { recursive: true });
    assert.deepEqual([result.code, result.usedClient], [0, false]);
    await startedEvent(input);
  });

  it('never sends an input in the clear where there is a key', async () => {
    const input = inputFor(stack, 'encrypted');
    const result = await start(input, KEYS);
    assert.equal(result.code, 0, result.stderr);
    const { event, attributes } = await startedEvent(input);
    const payloads = [...(attributes.input?.payloads ?? []), event.userMetadata?.summary];
    assert.equal(payloads.length, 2);
    for (const payload of payloads) {
      assert.equal(Buffer.from(payload?.metadata?.['encoding'] ?? '').toString(), 'binary/encrypted');
      assert.ok(!Buffer.from(payload?.data ?? '').includes(CREDENTIAL));
    }
    const dataConverter = createDataConverter(readEncryptionSettings(KEYS), 'default');
    const reader = new Client({ connection, dataConverter });
    const { staticSummary } = await reader.workflow.getHandle(workflowIdOf(ACCOUNT, 'iam_role#encrypted')).describe();
    assert.equal(await staticSummary(), `create iam_role encrypted in ${ACCOUNT}`);
  });

  it('is not made where encryption is required and there is no key', async () => {
    const { code, json } = await start(inputFor(stack, 'required'), { ENCRYPTION_REQUIRED: 'true' });
    assert.equal(code, 2);
    assert.match(String(json['message']), /ENCRYPTION_REQUIRED needs/);
  });
});

/** Payloads' bytes hold names of different lengths; what they say is compared beside. */
function withoutData(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (key, one: unknown) => (key === 'data' ? undefined : one));
}
