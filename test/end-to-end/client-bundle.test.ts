/** What the bundle of the command line loads. Modules are counted, because times depend on the machine. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Metafile } from 'esbuild';
import protobuf from 'protobufjs';
import { bundleClient, messagesInUse } from '../../scripts/bundle-client.ts';
import { loadedIn } from '../support/print-loaded.ts';

const PRINT_LOADED = new URL('../support/print-loaded.ts', import.meta.url).href;

describe('the bundle of the command line', () => {
  let folder: string;
  let outputs: Metafile['outputs'];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bundle-'));
    await writeFile(join(folder, 'package.json'), '{"type": "module", "version": "0.0.0"}');
    outputs = await bundleClient(join(folder, 'dist'));
  });
  after(() => rm(folder, { recursive: true }));

  /** Returns the files of the bundle that a command loads, and the packages in them. */
  async function loadedBy(...args: string[]): Promise<{ files: string[]; packages: Set<string>; builtins: string[] }> {
    const run = promisify(execFile)(
      process.execPath,
      ['--import', PRINT_LOADED, join(folder, 'dist', 'client.js'), ...args],
      {
        // Nothing listens on this port.
        env: {
          TEMPORAL_ADDRESS: '127.0.0.1:9',
          AWS_REGION: 'eu-west-1',
          AWS_ENDPOINT_URL_DYNAMODB: 'http://127.0.0.1:9',
        },
      },
    );
    const { stderr } = await run.catch((err: { stderr: string }) => err);
    const urls = loadedIn(stderr);
    const files = urls.filter((url) => url.startsWith('file:')).map((url) => basename(fileURLToPath(url)));
    const packages = new Set<string>();
    for (const [path, { inputs }] of Object.entries(outputs)) {
      if (!files.includes(basename(path))) continue;
      for (const [input, { bytesInOutput }] of Object.entries(inputs)) {
        const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1];
        if (name !== undefined && bytesInOutput > 0) packages.add(name);
      }
    }
    return { files, packages, builtins: urls.filter((url) => url.startsWith('node:')) };
  }

  it('the bundle of the command line loads no package but commander for --help', async () => {
    const { files, packages, builtins } = await loadedBy('--help');
    assert.deepEqual([...packages], ['commander']);
    assert.ok(files.length <= 16, files.join(' '));
    assert.ok(!builtins.includes('node:http') && !builtins.includes('node:crypto'), builtins.join(' '));
  });

  it("the bundle of the command line has the failure converter next to the file that names it, where Temporal's client looks", () => {
    const require = createRequire(import.meta.url);
    const output = (input: string) =>
      Object.entries(outputs).find(([, { inputs }]) => (inputs[input]?.bytesInOutput ?? 0) > 0)?.[0] ?? '';
    const converter = join(folder, 'dist', 'client', 'failure-converter.js');
    assert.equal(dirname(output('src/encryption/data-converter.ts')).split('/').at(-1), 'client');
    assert.equal(basename(output('src/encryption/failure-converter.ts')), 'failure-converter.js');
    assert.ok('failureConverter' in (require(converter) as object));
  });

  it('the bundle of the command line leaves out no message type that another one refers to', () => {
    const path = createRequire(import.meta.url).resolve('@temporalio/proto/protos/json-module.js');
    const { messages } = messagesInUse(readFileSync(path, 'utf8'));
    assert.doesNotThrow(() => protobuf.Root.fromJSON({ nested: messages }).resolveAll());
    assert.deepEqual(Object.keys(messages).sort(), ['google', 'grpc', 'nexusannotations', 'temporal']);
    assert.ok(!JSON.stringify(messages).includes('cloudservice'));
  });

  it('the bundle of the command line imports nothing that is not in it or in Node.js', () => {
    for (const [path, { imports }] of Object.entries(outputs)) {
      for (const { path: target, external } of imports) {
        if (external !== true) assert.ok(outputs[target], `${path} imports ${target}`);
        else if (target.startsWith('.')) assert.ok(existsSync(join(folder, 'dist', 'client', target)), target);
        else assert.match(target, /^node:|^[a-z_/0-9]+$/, path);
      }
    }
  });
});
