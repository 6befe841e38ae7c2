/**
 * `npm run build`: fills `dist/` with what images and the package run: JavaScript, its type declarations, the bundled
 * command line, and the workflow bundle, which saves a worker the bundler's time and memory at its start.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DefaultLogger } from '@temporalio/worker';
import { BUNDLE_FILE, bundleWorkflows } from '../src/worker/bundle.ts';
import { bundleClient } from './bundle-client.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');

rmSync(dist, { recursive: true, force: true });
compile();
// The bundled command line replaces these files.
for (const path of globSync(['cli', 'client.*'], { cwd: dist })) rmSync(join(dist, path), { recursive: true });
await bundleClient(dist);
pointDeclarationsAtJavaScript();
// npm does this only when it installs the package; an image runs the file without npm.
chmodSync(join(dist, 'client.js'), 0o755);
writeFileSync(join(dist, BUNDLE_FILE), await bundleWorkflows(new DefaultLogger('WARN')));

function compile(): void {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  try {
    execFileSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json')], { stdio: 'inherit' });
  } catch {
    // The compiler has printed its errors.
    process.exit(1);
  }
}

/** The compiler rewrites `.ts` endings only in JavaScript. https://github.com/microsoft/TypeScript/issues/61037 */
function pointDeclarationsAtJavaScript(): void {
  const relativeImport = /((?:from |import\()(['"])\.\.?\/[^'"]*)\.ts\2/g;
  for (const file of globSync('**/*.d.ts', { cwd: dist })) {
    const path = join(dist, file);
    writeFileSync(path, readFileSync(path, 'utf8').replace(relativeImport, '$1.js$2'));
  }
}
