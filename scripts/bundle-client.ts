/**
 * Bundles the command line, dependencies included: it starts several times as fast as from `node_modules`, and runs on a
 * machine with nothing but Node.js. What a command does not need is in chunks that it does not load.
 */
import { readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Metafile, type Plugin } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Node.js's own modules by `require`: an `import` of one reads all its exports at once, and to read `WebSocket` of `node:http`
 * is to load an HTTP client that nothing here uses.
 */
const requireBuiltins: Plugin = {
  name: 'require-builtins',
  setup({ onResolve, onLoad }) {
    const names = builtinModules.filter((name) => !name.startsWith('_')).join('|');
    onResolve({ filter: new RegExp(`^(node:)?(${names})$`) }, ({ path, kind, namespace }) => {
      // What asks late takes one apart by names, which a module of `require` does not have.
      const isLate = kind === 'require-call' || kind === 'dynamic-import';
      if (namespace === 'builtin' || isLate) return { path, external: true };
      return { path: path.replace(/^node:/, ''), namespace: 'builtin', sideEffects: false };
    });
    onLoad({ filter: /./, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = require('node:${path}')`,
    }));
  },
};

/** As protobufjs describes them. */
type Messages = Record<string, { nested?: Messages }>;

/**
 * The messages that commands send: without Temporal Cloud's own API, the worker's core and the HTTP gateway's annotations.
 * protobufjs builds a class of every message each time that a command starts.
 *
 * @param module the one of `@temporalio/proto` that describes all
 */
export function messagesInUse(module: string): { before: string; messages: Messages; after: string } {
  const [, before = '', json = '', after = ''] = /^([^]*\.addJSON\()([^]*)(\);[^]*)$/.exec(module) ?? [];
  const { coresdk: _, grpc, temporal, ...others } = JSON.parse(json) as Messages;
  delete temporal?.nested?.['api']?.nested?.['cloud'];
  delete grpc?.nested?.['gateway'];
  return { before, messages: { ...others, ...(grpc && { grpc }), ...(temporal && { temporal }) }, after };
}

const fewerMessages: Plugin = {
  name: 'fewer-messages',
  setup({ onLoad }) {
    onLoad({ filter: /@temporalio\/proto\/protos\/json-module\.js$/ }, ({ path }) => {
      const { before, messages, after } = messagesInUse(readFileSync(path, 'utf8'));
      return { contents: `${before}${JSON.stringify(messages)}${after}` };
    });
  },
};

const source = (path: string) => join(root, 'src', path);

/** @returns what went into which file */
export async function bundleClient(outdir: string): Promise<Metafile['outputs']> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [
      { in: source('client.ts'), out: 'client' },
      // Temporal's client loads it by its path, which is beside the file that names it: a chunk.
      { in: source('encryption/failure-converter.ts'), out: 'client/failure-converter' },
    ],
    outdir,
    chunkNames: 'client/[name]-[hash]',
    splitting: true,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // The AWS SDK's ECMAScript modules can be taken apart; its CommonJS ones are loaded as a whole.
    mainFields: ['module', 'main'],
    conditions: ['module'],
    plugins: [requireBuiltins, fewerMessages],
    // Names stay, for stack traces.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'external',
    banner: {
      js: "import { createRequire as $createRequire } from 'node:module';const require = $createRequire(import.meta.url);",
    },
    metafile: true,
    logLevel: 'warning',
  });
  return metafile.outputs;
}
