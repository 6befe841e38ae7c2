import { loadTests } from './load.ts';

// These tests wait for time limits and for tables, so they run beside the others.
loadTests(['build-api/**/*.test.ts', 'records/create-tables.test.ts'], { exclude: ['build-api/client-proxy.test.ts'] });
