import { loadTests } from './load.ts';
import { ON_DEV_SERVER } from './workflows.ts';

loadTests(['workflows/[a-e]*.test.ts'], { exclude: ON_DEV_SERVER });
