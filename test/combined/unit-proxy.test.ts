import { loadTests } from './load.ts';

loadTests(['build-api/client-proxy.test.ts']);
