import { loadTests } from './load.ts';

loadTests(['{activities,encryption,records}/**/*.test.ts'], { exclude: ['records/create-tables.test.ts'] });
