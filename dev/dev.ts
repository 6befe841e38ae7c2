/** `npm run dev`: keeps a whole local stack running until Ctrl-C, and prints the addresses of its parts. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build as prettyStream } from 'pino-pretty';
import { onStopSignal } from '../src/process/signals.ts';
import { freePort, isPortFree } from './servers/ports.ts';
import { startStack, type Stack, type StackWorker } from './stack.ts';

/** The preferred ports. If one is taken, `portNear` picks a free one. */
const USUAL_PORTS = { temporal: 7233, ui: 8233, dynamoDb: 8000, buildApi: 8090, health: 8080, metrics: 9464 } as const;
const SETTINGS_FILE = fileURLToPath(new URL('../.dev/settings.env', import.meta.url));

const stopping = Promise.withResolvers<void>();
onStopSignal(
  () => {
    process.stderr.write('stopping …\n');
    stopping.resolve();
  },
  () => process.exit(130),
);

let stack: Stack | undefined;
try {
  stack = await startStack({
    temporal: { port: await portNear(USUAL_PORTS.temporal), uiPort: await portNear(USUAL_PORTS.ui) },
    dynamoDbPort: await portNear(USUAL_PORTS.dynamoDb),
    buildApiPort: await portNear(USUAL_PORTS.buildApi),
  });
  const pretty = prettyStream({
    colorize: process.stdout.isTTY,
    ignore: 'sdkComponent,target',
    translateTime: 'SYS:HH:MM:ss',
  });
  const worker = await stack.startWorker({
    settings: {
      HEALTH_ADDRESS: `127.0.0.1:${await portNear(USUAL_PORTS.health)}`,
      METRICS_ADDRESS: `127.0.0.1:${await portNear(USUAL_PORTS.metrics)}`,
    },
    onOutput: (chunk) => pretty.write(chunk),
  });
  await mkdir(fileURLToPath(new URL('../.dev', import.meta.url)), { recursive: true });
  await writeFile(SETTINGS_FILE, exports(stack.settings));
  process.stdout.write(whereEverythingIs(stack, worker));
  const ended = await Promise.race([stopping.promise, worker.exited]);
  if (ended !== undefined) {
    process.stderr.write('the worker ended by itself\n');
    process.exitCode = 1;
  }
} catch (err) {
  process.stderr.write(`${(err as Error).message}\n`);
  process.exitCode = 1;
} finally {
  // Another stack that started later may have replaced the file with its own settings.
  const settings = await readFile(SETTINGS_FILE, 'utf8').catch(() => undefined);
  if (stack !== undefined && settings === exports(stack.settings)) await rm(SETTINGS_FILE);
  await stack?.stop();
}
process.exit();

async function portNear(usual: number): Promise<number> {
  return (await isPortFree(usual)) ? usual : freePort();
}

function exports(settings: Record<string, string>): string {
  return Object.entries(settings)
    .map(([name, value]) => `export ${name}='${value}'\n`)
    .join('');
}

function whereEverythingIs({ temporal, dynamoDb, buildApiUrl }: Stack, worker: StackWorker): string {
  return `
A local stack is running; Ctrl-C stops it and forgets everything.

  Temporal Web UI       ${temporal.uiUrl}
  Temporal              ${temporal.address}
  DynamoDB (${dynamoDb.kind})   ${dynamoDb.endpoint}
  Simulated build API   ${buildApiUrl}
  Worker's health       ${worker.healthUrl}/readyz
  Worker's metrics      ${worker.metricsUrl}/metrics

In another terminal, from this folder:

  . .dev/settings.env
  ENCRYPTED_JWT=example npm run -s role-build -- start --account 123456789012 --role data-reader \\
    --url ${buildApiUrl} --poll-interval-seconds 5 --wait
  npm run -s role-build -- status 123456789012 'iam_role#data-reader'

`;
}
