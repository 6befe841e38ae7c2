import { loadTests } from './load.ts';

const WITH_SERVERS = '{bench,deploy,dev,end-to-end,faults,long-build,replay,slow,tools,upgrade,workflows}/**';

loadTests(['**/*.test.ts'], {
  exclude: [WITH_SERVERS, '{activities,build-api,combined,directory,encryption,records}/**'],
});
