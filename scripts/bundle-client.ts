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
      if (namespace === 'builtin' || kind === 'require-call') return { path, external: true };
      return { path: path.replace(/^node:/, ''), namespace: 'builtin', sideEffects: false };
    });
    onLoad({ filter: /./, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = require('node:${path}')`,
    }));
  },
};

/** @returns what went into which file */
export async function bundleClient(outdir: string): Promise<Metafile> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [
      { in: join(root, 'src', 'client.ts'), out: 'client' },
      // Temporal's client loads it by its path, which is beside the file that names it: a chunk.
      { in: join(root, 'src', 'encryption', 'failure-converter.ts'), out: 'client/failure-converter' },
    ],
    outdir,
    chunkNames: 'client/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // The AWS SDK's ECMAScript modules can be taken apart; its CommonJS ones are loaded as a whole.
    mainFields: ['module', 'main'],
    conditions: ['module'],
    // Names stay, for stack traces.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'external',
    banner: {
      js: "import { createRequire as $createRequire } from 'node:module';const require = $createRequire(import.meta.url);",
    },
    plugins: [requireBuiltins],
    metafile: true,
    logLevel: 'warning',
  });
  return metafile;
}
