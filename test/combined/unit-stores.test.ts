import { loadTests } from './load.ts';

loadTests(['{activities,encryption,records}/**/*.test.ts']);
