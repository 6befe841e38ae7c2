/**
 * The programs that tests start. `npm test` builds `dist/` first and sets a variable to its path, since built programs
 * start in a fraction of the time. A test file that is run alone uses the sources.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Programs } from '../../dev/stack.ts';

/** The variable with the folder of the built programs, which global-setup.ts sets. */
export const BUILT_VARIABLE = 'ROLE_BUILD_TEST_DIST';

export const BUILT = process.env[BUILT_VARIABLE];
const source = (name: string) => fileURLToPath(new URL(`../../src/${name}.ts`, import.meta.url));
const program = (name: string) => (BUILT === undefined ? source(name) : join(BUILT, `${name}.js`));

export const PROGRAMS: Programs = { worker: program('worker'), client: program('client') };
