/**
 * `npm run sbom [-- FILE]`: writes the contents of the image as a CycloneDX document, which npm makes from the lock
 * file, to `sbom.cdx.json` or the given file.
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
// Without this, npm uses the name of the folder.
sbom.metadata.component.name = 'iam-orchestrator';
writeFileSync(file, `${JSON.stringify(sbom, undefined, 2)}\n`);
process.stderr.write(`${file}: ${sbom.components.length} components\n`);

/** Does not use npm's `--omit dev`, which also drops packages that both the product and a development package need. */
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
