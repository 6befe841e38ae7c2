/**
 * `npm run sbom [-- FILE]`: what the image is made of, as a CycloneDX document made by npm from the lock file, in
 * `sbom.cdx.json` unless another file is named.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

interface Sbom {
  metadata: { component: { name: string } };
  components: { 'bom-ref': string; properties?: { name: string; value: string }[] }[];
  dependencies: { ref: string; dependsOn?: string[] }[];
}

const DEVELOPMENT = 'cdx:npm:package:development';

const file = process.argv[2] ?? 'sbom.cdx.json';
const args = ['sbom', '--package-lock-only', '--sbom-format', 'cyclonedx', '--sbom-type', 'application'];
const document = execFileSync('npm', args, {
  cwd: fileURLToPath(new URL('..', import.meta.url)),
  encoding: 'utf8',
  maxBuffer: 64 * 2 ** 20,
  stdio: ['ignore', 'pipe', 'inherit'],
});
const sbom = withoutDevelopment(JSON.parse(document) as Sbom);
// Else that of the folder.
sbom.metadata.component.name = 'iam-orchestrator';
writeFileSync(file, `${JSON.stringify(sbom, undefined, 2)}\n`);
process.stderr.write(`${file}: ${sbom.components.length} components\n`);

/** Not by npm's own `--omit dev`, which leaves out whatever a package of development depends on as well. */
function withoutDevelopment(all: Sbom): Sbom {
  const components = all.components.filter(
    ({ properties = [] }) => !properties.some(({ name }) => name === DEVELOPMENT),
  );
  const gone = new Set(all.components.filter((one) => !components.includes(one)).map((one) => one['bom-ref']));
  const dependencies = all.dependencies
    .filter(({ ref }) => !gone.has(ref))
    .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((one) => !gone.has(one)) }));
  return { ...all, components, dependencies };
}
