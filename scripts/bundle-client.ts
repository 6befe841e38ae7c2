/**
 * Bundles the command line, dependencies included: it starts several times as fast as from `node_modules`, and runs on a
 * machine with nothing but Node.js. What a command does not need is in chunks that it does not load.
 */
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
    plugins: [requireBuiltins],
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
