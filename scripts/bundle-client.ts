/**
 * Bundles the command line, dependencies included: it starts several times as fast as from `node_modules`, and runs on a
 * machine with nothing but Node.js. What a command does not need is in chunks that it does not load.
 */
import { builtinModules } from 'node:module';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type BuildOptions, type Metafile, type Plugin } from 'esbuild';

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

const COMMON: BuildOptions & { metafile: true } = {
  absWorkingDir: root,
  bundle: true,
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
  metafile: true,
  logLevel: 'warning',
};

const source = (path: string) => join(root, 'src', path);

/**
 * `start` is one file, since forty chunks take a seventh longer to load than one. What it loads late stays in the chunks, and
 * so do the modules whose classes of errors the program tells apart: of those there must be one.
 */
const START = 'client/start';
const BESIDE_START: Record<string, string> = {
  'cli/start-with-client.ts': 'client/start-with-client',
  'cli/errors.ts': 'client/errors',
  'config.ts': 'client/config',
};

/** Has imports of some modules lead to files that another call bundles. */
function bundledElsewhere(files: Record<string, string>): Plugin {
  const paths = new Map(Object.entries(files).map(([from, to]) => [source(from), `./${basename(to)}.js`]));
  return {
    name: 'bundled-elsewhere',
    setup({ onResolve }) {
      onResolve({ filter: /^\./ }, ({ path, resolveDir, kind }) => {
        const file = kind === 'entry-point' ? undefined : paths.get(join(resolveDir, path));
        return file === undefined ? undefined : { path: file, external: true };
      });
    },
  };
}

/** @returns what went into which file */
export async function bundleClient(outdir: string): Promise<Metafile['outputs']> {
  const [whole, start] = await Promise.all([
    build({
      ...COMMON,
      entryPoints: [
        { in: source('client.ts'), out: 'client' },
        // Temporal's client loads it by its path, which is beside the file that names it: a chunk.
        { in: source('encryption/failure-converter.ts'), out: 'client/failure-converter' },
        ...Object.entries(BESIDE_START).map(([from, to]) => ({ in: source(from), out: to })),
      ],
      outdir,
      chunkNames: 'client/[name]-[hash]',
      splitting: true,
      plugins: [requireBuiltins, bundledElsewhere({ 'cli/start.ts': START })],
    }),
    build({
      ...COMMON,
      entryPoints: [{ in: source('cli/start.ts'), out: START }],
      outdir,
      plugins: [requireBuiltins, bundledElsewhere(BESIDE_START)],
    }),
  ]);
  return { ...whole.metafile.outputs, ...start.metafile.outputs };
}
