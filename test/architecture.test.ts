/** Which way imports may go. A new folder needs a line here; so does a new way between two. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What each folder or file of src/ may import of ours; a folder's own files go without saying. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  'domain/': [],
  'contract.ts': ['domain/'],
  'workflows/': ['contract.ts', 'domain/', 'activities/types.ts'],
  'activities/': ['contract.ts', 'domain/', 'records/', 'build-api/'],
  'records/': ['domain/'],
  'build-api/': ['domain/'],
  'cli/': [
    'contract.ts',
    'domain/',
    'records/',
    // doctor asks the build API itself, as --ask-api says.
    'build-api/',
    'activities/types.ts',
    'start-role-build.ts',
    'config.ts',
    'logger.ts',
    'signals.ts',
    'standard-stream.ts',
    'temporal-config.ts',
    'encryption/',
    'own-files.ts',
    'surroundings.ts',
    'tracing/',
    'utf8.ts',
  ],
  'start-role-build.ts': ['contract.ts', 'domain/'],
  'encryption/': ['contract.ts', 'utf8.ts'],
  'codec-server/': ['encryption/', 'setting-values.ts'],
  'index.ts': ['start-role-build.ts', 'contract.ts', 'domain/', 'encryption/', 'config.ts'],
  'operations/': ['contract.ts', 'domain/', 'activities/types.ts', 'listen.ts', 'setting-values.ts'],
  'config.ts': [
    'contract.ts',
    'records/names.ts',
    'encryption/settings.ts',
    'codec-server/settings.ts',
    'setting-values.ts',
    'tracing/settings.ts',
  ],
  'setting-values.ts': [],
  // Of the workflows and the build API, types alone: what they say when a span begins and ends.
  'tracing/': ['setting-values.ts', 'contract.ts', 'workflows/traces.ts', 'build-api/call.ts'],
  'logger.ts': ['config.ts', 'standard-stream.ts'],
  'standard-stream.ts': [],
  'temporal-config.ts': ['config.ts', 'own-files.ts', 'utf8.ts'],
  'signals.ts': [],
  'listen.ts': ['setting-values.ts'],
  'own-files.ts': ['config.ts'],
  'surroundings.ts': ['config.ts', 'own-files.ts'],
  'utf8.ts': [],
  'workflow-code.ts': ['encryption/data-converter.ts'],
  // Before it listens for signals it loads nothing else.
  'worker.ts': ['signals.ts', 'run-worker.ts'],
  // They wire everything together.
  'run-worker.ts': [
    'activities/',
    'build-api/',
    'config.ts',
    'contract.ts',
    'encryption/',
    'logger.ts',
    'operations/',
    'records/',
    'setting-values.ts',
    'signals.ts',
    'surroundings.ts',
    'temporal-config.ts',
    'tracing/',
    'workflow-code.ts',
  ],
  'codec-server.ts': [
    'codec-server/',
    'config.ts',
    'encryption/',
    'listen.ts',
    'logger.ts',
    'signals.ts',
    'surroundings.ts',
  ],
  'client.ts': ['cli/', 'own-files.ts', 'signals.ts'],
};

interface Import {
  specifier: string;
  /** Gone once types are stripped. */
  typeOnly: boolean;
}

interface SourceFile {
  /** Without comments. */
  code: string;
  imports: Import[];
}

const files = new Map<string, SourceFile>(
  globSync('**/*.ts', { cwd: join(root, 'src') })
    .sort()
    .map((path) => {
      const code = withoutComments(readFileSync(join(root, 'src', path), 'utf8'));
      return [path, { code, imports: importsOf(code) }];
    }),
);

/** Good enough for this code base: strings and template literals are kept, so that no `//` in a URL counts. */
function withoutComments(code: string): string {
  return code.replace(
    /('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`)|\/\*[\s\S]*?\*\/|(?<![\\[/])\/\/[^\n]*/g,
    (_, string: string | undefined) => string ?? '',
  );
}

function importsOf(code: string): Import[] {
  const imports: Import[] = [];
  const statement = /^(?:import|export)\s+(?:(type\s)?\s*([\w*{][^;'"]*?)\s*\bfrom\s+)?['"]([^'"]+)['"]/gm;
  for (const [, type, names = '', specifier = ''] of code.matchAll(statement)) {
    const named = /^\{([\s\S]*)\}$/
      .exec(names)?.[1]
      ?.split(',')
      .filter((name) => name.trim() !== '');
    const onlyTypes = named !== undefined && named.length > 0 && named.every((name) => /^\s*type\s/.test(name));
    imports.push({ specifier, typeOnly: type !== undefined || onlyTypes });
  }
  for (const [, specifier = ''] of code.matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*\)/g)) {
    imports.push({ specifier, typeOnly: false });
  }
  return imports;
}

/** A relative import's file, as a path in src/; `undefined` for a package. */
function fileOf(importer: string, { specifier }: Import): string | undefined {
  return specifier.startsWith('.') ? normalize(join(dirname(importer), specifier)) : undefined;
}

function isIn(path: string, place: string): boolean {
  return place.endsWith('/') ? path.startsWith(place) : path === place;
}

function* ownImports(): Generator<{ file: string; target: string; typeOnly: boolean }> {
  for (const [file, { imports }] of files) {
    for (const one of imports) {
      const target = fileOf(file, one);
      if (target !== undefined) yield { file, target, typeOnly: one.typeOnly };
    }
  }
}

/** Files and packages that are loaded where a file is, itself included. */
function loadedWith(file: string, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  for (const one of files.get(file)?.imports ?? []) {
    if (one.typeOnly) continue;
    const target = fileOf(file, one);
    if (target === undefined) found.add(one.specifier);
    else loadedWith(target, found);
  }
  return found;
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

describe('imports in src', () => {
  test('are all seen by these tests', () => {
    const code = [
      "import a from './a.ts';",
      "import type { B } from './b.ts';",
      "import {\n  type C,\n  type D,\n} from './c.ts';",
      "import { type E, f } from './e.ts';",
      "import './g.ts';",
      "export * from './h.ts';",
      "export type { I } from './i.ts';",
      "export { j } from './j.ts';",
      "// import './k.ts';",
      "/* import './l.ts'; */",
      "const m = await import('./m.ts'); // https://example.com",
      "const n = 'https://example.com'; import('./n.ts');",
    ].join('\n');
    const seen = importsOf(withoutComments(code)).map(
      ({ specifier, typeOnly }) => `${specifier}${typeOnly ? '?' : ''}`,
    );
    const expected = [
      './a.ts',
      './b.ts?',
      './c.ts?',
      './e.ts',
      './g.ts',
      './h.ts',
      './i.ts?',
      './j.ts',
      './m.ts',
      './n.ts',
    ];
    assert.deepEqual(seen, expected);
    for (const [file, { code: own, imports }] of files) {
      assert.equal(imports.length, own.match(/\bfrom '|^import '|\bimport\('/gm)?.length ?? 0, file);
    }
  });

  test('name files that exist, inside src', () => {
    const wrong = [...ownImports()].filter(({ target }) => !files.has(target));
    assert.deepEqual(
      wrong.map(({ file, target }) => `${file} imports ${target}`),
      [],
    );
  });

  test('go one way between folders', () => {
    const places = Object.keys(MAY_IMPORT);
    const placeless = [...files.keys()].filter((file) => !places.some((place) => isIn(file, place)));
    assert.deepEqual(placeless, [], 'files that no line here speaks of');
    const wrong = [...ownImports()].filter(({ file, target }) => {
      const place = places.find((one) => isIn(file, one)) as string;
      return ![place, ...(MAY_IMPORT[place] ?? [])].some((allowed) => isIn(target, allowed));
    });
    assert.deepEqual(
      wrong.map(({ file, target }) => `${file} imports ${target}`),
      [],
    );
  });

  test('make no cycle', () => {
    const cycles: string[] = [];
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]) => {
      if (path.includes(file)) return void cycles.push([...path.slice(path.indexOf(file)), file].join(' → '));
      if (done.has(file)) return;
      for (const one of files.get(file)?.imports ?? []) {
        const target = fileOf(file, one);
        if (target !== undefined && !one.typeOnly) visit(target, [...path, file]);
      }
      done.add(file);
    };
    for (const file of files.keys()) visit(file, []);
    assert.deepEqual(cycles, []);
  });

  test('keep workflow code small: no validator, no system, and of packages only the workflow SDK', () => {
    const loaded = [...loadedWith('workflows/traces.ts', loadedWith('workflows/index.ts'))];
    assert.ok(loaded.includes('workflows/role-build.ts'));
    const wrong = loaded.filter(
      (one) =>
        one === 'domain/validate-input.ts' ||
        (!files.has(one) && one !== '@temporalio/workflow' && one !== '@temporalio/common'),
    );
    assert.deepEqual(wrong, []);
  });

  test('of workflow code keep nothing at module level, since a worker loads the modules once for all its builds', () => {
    const state = /^(?:export )?(?:(?:let|var) |const \w+(?:: [^=]+)? = (?:new |\[))/m;
    const loaded = [...loadedWith('workflows/index.ts')];
    assert.deepEqual(
      loaded.filter((one) => state.test(files.get(one)?.code ?? '')),
      [],
    );
    for (const line of [
      'let a;',
      'export var b = 1;',
      'const c = new Map<string, number>();',
      'const d: string[] = [];',
    ]) {
      assert.match(line, state);
    }
  });

  test('of packages are declared: as a dependency where they are loaded, at all where only their types are used', () => {
    const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<
      'dependencies' | 'devDependencies',
      Record<string, string>
    >;
    const wrong: string[] = [];
    for (const [file, { imports }] of files) {
      for (const { specifier, typeOnly } of imports) {
        if (specifier.startsWith('.') || specifier.startsWith('node:')) continue;
        const allowed = typeOnly ? { ...dependencies, ...devDependencies } : dependencies;
        if (!Object.hasOwn(allowed, packageOf(specifier))) wrong.push(`${file} imports ${specifier}`);
      }
    }
    assert.deepEqual(wrong, []);
  });
});

describe('the environment', () => {
  test('is read by the programs alone: the worker, the command line and the codec server', () => {
    const readers = [...files].filter(
      ([file, { code, imports }]) =>
        !['worker.ts', 'run-worker.ts', 'client.ts', 'codec-server.ts'].includes(file) &&
        (/\bprocess\s*(\.|\?\.|\[)\s*['"]?env\b/.test(code) ||
          imports.some(({ specifier }) => /^(node:)?process$/.test(specifier))),
    );
    assert.deepEqual(
      readers.map(([file]) => file),
      [],
    );
  });
});
