/**
 * `npm run demo`: runs three real builds from request to recorded end, on its own stack on free ports. With
 * `--directory`, it runs a fourth build that also requests a group.
 */
import { parseArgs } from 'node:util';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { HISTORY_TABLE_NAME, STATUS_TABLE_NAME } from '../src/records/names.ts';
import { onStopSignal } from '../src/process/signals.ts';
import { startDirectory, type DirectoryServer } from './servers/directory.ts';
import { startStack, type Stack } from './stack.ts';

const ACCOUNT = '123456789012';
const POLL_INTERVAL_SECONDS = 2;

interface DemoBuild {
  role: string;
  what: string;
  expect: 'COMPLETE' | 'FAILED';
  dryRun?: boolean;
  directoryGroup?: boolean;
  simulate: Record<string, unknown>;
}

const BUILDS: readonly DemoBuild[] = [
  { role: 'data-reader', what: 'succeeds at its third poll', expect: 'COMPLETE', simulate: { polls: 2 } },
  {
    role: 'data-writer',
    what: 'is turned down by the build API',
    expect: 'FAILED',
    simulate: { polls: 1, outcome: 'FAILED', message: 'the policy data-writer does not exist in this account' },
  },
  {
    role: 'auditor',
    what: 'a dry run, whose POST is answered 503 once and made again',
    expect: 'COMPLETE',
    dryRun: true,
    simulate: { polls: 1, trigger: [{ status: 503 }] },
  },
];

const BUILD_WITH_GROUP: DemoBuild = {
  role: 'operator',
  what: 'asks for a group in the directory too',
  expect: 'COMPLETE',
  directoryGroup: true,
  simulate: { polls: 1 },
};

const { values: options } = parseArgs({
  options: { keep: { type: 'boolean', default: false }, directory: { type: 'boolean', default: false } },
});
const builds = options.directory ? [...BUILDS, BUILD_WITH_GROUP] : BUILDS;
const stopping = Promise.withResolvers<'stopped'>();
onStopSignal(
  () => stopping.resolve('stopped'),
  () => process.exit(130),
);

let stack: Stack | undefined;
let directory: DirectoryServer | undefined;
try {
  say('Starting Temporal, DynamoDB, a simulated build API and a worker on free ports …');
  if (options.directory) directory = await startDirectory();
  stack = await startStack();
  await stack.startWorker(directory && { settings: directory.settings });
  say(
    `\nTemporal Web UI: ${stack.temporal.uiUrl}/namespaces/default/workflows${options.keep ? '' : ' (while the demo runs; npm run demo -- --keep leaves it running)'}`,
  );
  say(`Builds poll every 60 s; in this demo every ${POLL_INTERVAL_SECONDS} s.\n`);
  const asExpected = await Promise.race([runBuilds(stack), stopping.promise]);
  if (asExpected === 'stopped') process.exitCode = 130;
  else {
    await showRecords(stack);
    if (directory !== undefined) say(`Groups in the directory:\n${directory.groups().join('\n')}\n`);
    say(asExpected ? 'Every build ended as it should.' : 'A build did not end as it should.');
    process.exitCode = asExpected ? 0 : 1;
    if (options.keep) {
      say(`\nLeft running: ${stack.temporal.uiUrl} — Ctrl-C stops it.`);
      await stopping.promise;
    }
  }
} catch (err) {
  process.stderr.write(`${(err as Error).message}\n`);
  process.exitCode = 1;
} finally {
  await stack?.stop();
  await directory?.stop();
}
process.exit();

async function runBuilds(running: Stack): Promise<boolean> {
  const results = await Promise.all(builds.map((build) => runBuild(running, build)));
  return results.every(Boolean);
}

async function runBuild(running: Stack, build: DemoBuild): Promise<boolean> {
  const label = build.role.padEnd(12);
  say(`${label}${build.what}`);
  const input = {
    build_body: {
      account_id: ACCOUNT,
      build_type: 'iam_role',
      action: 'create',
      custom_role_name: build.role,
      dry_run: build.dryRun ?? false,
      simulate: build.simulate,
    },
    ddb_composite_sort_key: `iam_role#${build.role}`,
    url: running.buildApiUrl,
    encrypted_jwt: 'example-ciphertext-not-a-credential',
    poll_interval_seconds: POLL_INTERVAL_SECONDS,
    ...(build.directoryGroup === true && { directory_group: true }),
  };
  const { code, stdout, stderr } = await running.cli(['start', '--input', '-', '--wait', '--json'], {
    stdin: JSON.stringify(input),
    onStderr: (chunk) => {
      for (const line of chunk.split('\n').filter((text) => text !== '' && !text.endsWith('…'))) say(`${label}${line}`);
    },
  });
  if (stdout === '') throw new Error(`role-build ended with ${code}:\n${stderr}`);
  const { status } = JSON.parse(stdout) as { status: string };
  return status === build.expect && code === (build.expect === 'COMPLETE' ? 0 : 1);
}

async function showRecords({ settings, dynamoDb }: Stack): Promise<void> {
  const client = new DynamoDBClient({
    region: settings['AWS_REGION'] ?? 'us-east-1',
    endpoint: dynamoDb.endpoint,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  const documents = DynamoDBDocumentClient.from(client);
  for (const table of [STATUS_TABLE_NAME, HISTORY_TABLE_NAME]) {
    const { Items } = await documents.send(new ScanCommand({ TableName: table }));
    say(`\nDynamoDB table ${table}:`);
    for (const item of Items ?? []) say(JSON.stringify(item, undefined, 2));
  }
  say('');
  client.destroy();
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
