/** How long the command line takes to start. Whole processes take turns on one server without a worker. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findTemporalCli } from '../../dev/servers/temporal-binaries.ts';
import { startTemporal } from '../measure/contenders.ts';
import { startSurroundings } from '../measure/surroundings.ts';
import { addTo, type Figure, type Row } from './figure.ts';

/** Rounds that fill the compile cache and the file system's cache. */
const WARM_UP_ROUNDS = 2;
const CLIENT = fileURLToPath(new URL('../../dist/client.js', import.meta.url));

type Command = (name: string, buildApiUrl: string) => string[];

const ACCOUNT = '123456789012';
const START = {
  'role-build start': (role, url) => {
    const { execPath } = process;
    return [execPath, CLIENT, 'start', '--account', ACCOUNT, '--role', role, '--url', url];
  },
  'temporal workflow start': (role) => {
    const input = JSON.stringify({ build_body: { account_id: ACCOUNT, custom_role_name: role } });
    return ['temporal', 'workflow', 'start', '--type', 'other', '--task-queue', 'none', '-w', role, '--input', input];
  },
} as const satisfies Record<string, Command>;
const HELP = {
  'role-build --help': () => [process.execPath, CLIENT, '--help'],
  'node -e 0': () => [process.execPath, '-e', '0'],
} as const satisfies Record<string, Command>;

export const clientStart: Figure = {
  name: 'client-start',
  title: 'Start of the command line',
  async measure({ quick, progress }) {
    const rounds = quick ? 5 : 20;
    const at = await startSurroundings();
    const temporal = await startTemporal();
    const env = {
      ...process.env,
      ...at.settings,
      TEMPORAL_ADDRESS: temporal.address,
      ENCRYPTED_JWT: 'example-ciphertext-not-a-credential',
    };
    const programs: Record<string, string> = { temporal: await findTemporalCli() };
    const start: Row = { what: 'start a build, without waiting for it', unit: 'ms', values: {} };
    const help: Row = { what: 'help', unit: 'ms', values: {} };
    progress(`${rounds} rounds`);
    for (let round = 0; round < WARM_UP_ROUNDS + rounds; round += 1) {
      for (const [row, commands] of [
        [start, START],
        [help, HELP],
      ] as const) {
        for (const [name, command] of Object.entries(commands) as [string, Command][]) {
          const [program = '', ...args] = command(`bench-start-${name.split(' ')[0]}-${round}`, at.buildApiUrl);
          const begun = performance.now();
          // Asynchronous, because DynamoDB runs in this process and must answer meanwhile.
          await promisify(execFile)(programs[program] ?? program, args, { env });
          if (round >= WARM_UP_ROUNDS) addTo(row, name, performance.now() - begun);
        }
      }
    }
    await temporal.kill();
    await at.stop();
    return {
      rows: [start, help],
      notes: [`Whole processes, in turn, ${rounds} rounds, from \`dist/\`; not encrypted.`],
    };
  },
};
