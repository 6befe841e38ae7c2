/**
 * Bundles the command line with its dependencies: it then starts several times as fast as from `node_modules`, and
 * needs nothing but Node.js. Code that only some commands need is in chunks that the others do not load.
 */
import { readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Metafile, type Plugin } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Loads Node.js's modules with `require`: an `import` of one reads all its exports, and reading `WebSocket` of
 * `node:http` loads an HTTP client that nothing here uses.
 */
const requireBuiltins: Plugin = {
  name: 'require-builtins',
  setup({ onResolve, onLoad }) {
    const names = builtinModules.filter((name) => !name.startsWith('_')).join('|');
    onResolve({ filter: new RegExp(`^(node:)?(${names})$`) }, ({ path, kind, namespace }) => {
      // A late import may use named exports, which a module loaded by `require` does not have.
      const isLate = kind === 'require-call' || kind === 'dynamic-import';
      if (namespace === 'builtin' || isLate) return { path, external: true };
      return { path: path.replace(/^node:/, ''), namespace: 'builtin', sideEffects: false };
    });
    onLoad({ filter: /./, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = require('node:${path}')`,
    }));
  },
};

/** Messages in protobufjs' JSON format. */
type Messages = Record<string, { nested?: Messages }>;

/**
 * Selects the messages that commands send: without Temporal Cloud's own API, the worker's core and the HTTP gateway's
 * annotations. Otherwise protobufjs builds a class of every message whenever a command starts.
 *
 * @param module the source of the module of `@temporalio/proto` that describes all messages
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

/** @returns the inputs of each output file */
export async function bundleClient(outdir: string): Promise<Metafile['outputs']> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [
      { in: source('client.ts'), out: 'client' },
      // Temporal's client loads this file by its path, so it must be a file of its own beside the one that names it.
      { in: source('encryption/failure-converter.ts'), out: 'client/failure-converter' },
    ],
    outdir,
    chunkNames: 'client/[name]-[hash]',
    splitting: true,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // Unused parts of the AWS SDK's ECMAScript modules can be dropped, but not those of its CommonJS modules.
    mainFields: ['module', 'main'],
    conditions: ['module'],
    plugins: [requireBuiltins, fewerMessages],
    // Names are not minified, for readable stack traces.
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
