import { loadTests } from './load.ts';
import { ON_DEV_SERVER } from './workflows.ts';

loadTests(ON_DEV_SERVER);
