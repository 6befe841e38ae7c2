import { loadTests } from './load.ts';
import { ON_DEV_SERVER } from './workflows.ts';

loadTests(['workflows/[f-z]*.test.ts', 'replay/*.test.ts'], { exclude: ON_DEV_SERVER });
