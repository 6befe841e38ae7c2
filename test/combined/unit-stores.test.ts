import { loadTests } from './load.ts';

loadTests(['{activities,directory,encryption,records}/**/*.test.ts']);
