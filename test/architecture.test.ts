/** Rules that neither dependency-cruiser (.dependency-cruiser.mjs) nor the linter can check. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Matches a variable, or a constant with a mutable value. */
const STATE = /^(?:export )?(?:(?:let|var) |const \w+(?:: [^=]+)? = (?:new |\[(?![^;]*\] as const)))/m;

it('workflow code keeps no state at module level, since a worker loads its modules once for all builds', () => {
  const files = globSync('src/{workflows,domain}/**/*.ts', { cwd: root, exclude: ['**/validate-input.ts'] });
  assert.ok(files.includes('src/workflows/role-build.ts'));
  const withState = ['src/contract.ts', ...files].filter((file) => STATE.test(readFileSync(`${root}/${file}`, 'utf8')));
  assert.deepEqual(withState, []);
});

for (const line of ['let a;', 'export var b = 1;', 'const c = new Map<string, number>();', 'const d: string[] = [];']) {
  it(`the rule about state at module level matches: ${line}`, () => assert.match(line, STATE));
}
