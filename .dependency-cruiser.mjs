/**
 * Which way imports may go; types count. `npm run check` holds it.
 *
 * A folder of `src`, or a file beside them, may import what its line names, and its own files. A new one needs a line.
 */
const MAY_IMPORT = {
  'domain/': [],
  'contract.ts': ['domain/'],
  'start-role-build.ts': ['contract.ts', 'domain/'],
  'workflows/': ['contract.ts', 'domain/', 'activities/types.ts'],
  'activities/': ['contract.ts', 'domain/', 'records/', 'build-api/', 'directory/'],
  'records/': ['domain/', 'process/'],
  'build-api/': ['domain/'],
  'directory/': ['config/', 'domain/', 'process/'],
  'config/': ['contract.ts', 'records/names.ts', 'process/'],
  'process/': [],
  'encryption/': ['contract.ts', 'config/', 'process/'],
  // What workflows and the build API say when a span begins and ends.
  'tracing/': ['config/', 'contract.ts', 'workflows/traces.ts', 'build-api/call.ts'],
  'codec-server/': ['encryption/', 'config/'],
  'worker/': [
    'activities/',
    'build-api/',
    'config/',
    'contract.ts',
    'directory/',
    'domain/',
    'encryption/',
    'process/',
    'records/',
    'tracing/',
    'workflows/worker-options.ts',
  ],
  'cli/': [
    'contract.ts',
    'domain/',
    'records/',
    // `doctor --ask-api` asks the build API itself, `doctor --directory` the directory.
    'build-api/',
    'directory/',
    'activities/types.ts',
    'start-role-build.ts',
    'config/',
    'process/',
    'encryption/',
    'tracing/',
  ],
  'index.ts': ['start-role-build.ts', 'contract.ts', 'domain/', 'encryption/', 'config/'],
  // Before it listens for signals, a program loads nothing else.
  'worker.ts': ['config/', 'process/', 'worker/'],
  'client.ts': ['cli/', 'config/own-files.ts', 'process/'],
  'codec-server.ts': ['codec-server/', 'config/', 'encryption/', 'process/'],
};

const pathOf = (place) => `^src/${place.replace('.', '\\.')}${place.endsWith('/') ? '' : '$'}`;

export default {
  forbidden: [
    ...Object.entries(MAY_IMPORT).map(([place, targets]) => ({
      name: `imports-of-${place.replace(/\W+/g, '-').replace(/-$/, '')}`,
      severity: 'error',
      from: { path: pathOf(place) },
      to: { path: '^(src|dev|test|bench|scripts)/', pathNot: [place, ...targets].map(pathOf) },
    })),
    {
      name: 'no-line-for-this-folder',
      severity: 'error',
      from: { path: '^src/', pathNot: Object.keys(MAY_IMPORT).map(pathOf) },
      to: {},
    },
    { name: 'no-circular', severity: 'error', from: { path: '^src/' }, to: { circular: true } },
    {
      name: 'workflow-code-loads-only-the-workflow-sdk',
      comment: 'A worker keeps workflow code in memory for each build, and it has to be deterministic.',
      severity: 'error',
      from: { path: '^src/workflows/' },
      to: {
        reachable: true,
        path: '^node_modules/|^src/domain/validate-input',
        pathNot: '^node_modules/@temporalio/(workflow|common)/',
      },
    },
    {
      name: 'packages-are-dependencies',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'imports-resolve',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, dependencyTypesNot: ['core'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
    // The default parser needs a TypeScript compiler older than 7. This one keeps imports of types.
    parser: 'swc',
  },
};
