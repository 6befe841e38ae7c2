/** Runs the simulated build API as a program, until it is stopped. */
import { parseArgs } from 'node:util';
import { onStopSignal } from '../../src/process/signals.ts';
import { createSimulatedBuildApi } from './server.ts';

const EXIT_BAD_USAGE = 2;
const PORT_MAX = 65_535;

const USAGE = `Usage: node dev/simulated-build-api/main.ts [--port 8090] [--host 127.0.0.1]

Stands in for the build API. GET / of it says how it is told to behave.

  --port   0 takes a free one; default 8090
  --host   0.0.0.0 takes every address, IPv6 too; default 127.0.0.1
  --help   prints this
`;

const { port, host } = readOptionsOrExit();
const api = createSimulatedBuildApi();
try {
  const url = await api.listen(port, host);
  onStopSignal(
    () => void api.close(),
    () => process.exit(1),
  );
  process.stdout.write(`${JSON.stringify({ msg: 'simulated build API listening', url })}\n`);
} catch (err) {
  process.stderr.write(`simulated build API: ${(err as Error).message}\n`);
  process.exitCode = 1;
}

function readOptionsOrExit(): { port: number; host: string } {
  try {
    const { values } = parseArgs({
      options: {
        port: { type: 'string', default: '8090' },
        host: { type: 'string', default: '127.0.0.1' },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      process.stdout.write(USAGE);
      process.exit(0);
    }
    if (!/^\d{1,5}$/.test(values.port) || Number(values.port) > PORT_MAX) {
      throw new TypeError(`--port must be a whole number from 0 to ${PORT_MAX}`);
    }
    return { port: Number(values.port), host: values.host };
  } catch (err) {
    process.stderr.write(`${(err as Error).message}\n\n${USAGE}`);
    process.exit(EXIT_BAD_USAGE);
  }
}
