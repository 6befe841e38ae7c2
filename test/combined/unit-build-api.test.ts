import { loadTests } from './load.ts';

// They wait for time limits, so they are run beside the others.
loadTests(['build-api/**/*.test.ts'], { exclude: ['build-api/client-proxy.test.ts'] });
