import { loadTests } from './load.ts';

// These tests wait longest for time limits.
loadTests(['build-api/client-proxy.test.ts', 'directory/**/*.test.ts']);
