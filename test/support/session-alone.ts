/** Fixture of the tests that run the command line without any service. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { type, type SessionOptions, type Shown } from './cli-session.ts';

/** Port 9 is the discard service's, and nothing listens on it. */
const NOWHERE = {
  TEMPORAL_ADDRESS: '127.0.0.1:9',
  AWS_REGION: 'eu-west-1',
  AWS_ENDPOINT_URL_DYNAMODB: 'http://127.0.0.1:9',
};

/** Registers its hooks; call it inside a suite. */
export function sessionAlone() {
  let home: string;
  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'role-build-'));
  });
  after(() => rm(home, { recursive: true }));
  return {
    get home() {
      return home;
    },
    $: (line: string, options: SessionOptions = {}): Promise<Shown> =>
      type({ HOME: home, ...NOWHERE }, line, options).shown,
  };
}
