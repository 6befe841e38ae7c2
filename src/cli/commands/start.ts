import { isDeepStrictEqual } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import { workflowIdOf } from '../../contract.ts';
import type { RoleBuildInput } from '../../domain/role-build-input.ts';
import { readHistoryRecord } from '../../records/history-table.ts';
import { isStepFunctionsJob } from '../../domain/identity.ts';
import { findTwins, readStatusRecord, type StatusKey } from '../../records/status-table.ts';
import { heldByStepFunctions, withoutStart } from '../../records/conflict.ts';
import { BuildInProgressError } from '../../start-role-build.ts';
import { describeExecution } from '../build/view.ts';
import { readStarted } from '../build/events.ts';
import type { CommandContext, CommandResult } from '../context.ts';
import { CliError } from '../errors/cli-error.ts';
import { oneLine } from '../terminal/output.ts';
import { readInput, type InputOptions } from '../input/read-input.ts';
import type { Services } from '../services.ts';
import { showStarted, startBuild, type Started } from '../build/started.ts';
import type { Command } from 'commander';
import { examples, seconds } from '../options.ts';

/** How long a start waits for the tables to answer. */
const LOOK_WITHIN_MS = 10_000;

export interface StartOptions extends InputOptions {
  wait?: boolean;
  attach?: boolean;
}

export function define(command: Command): Command {
  return command
    .description(
      'Checks the input and starts a build. Refuses if a build of the same account and resource is running, and names that ' +
        'build. Warns if a build of a role whose name differs only in letter case is running, because IAM treats both as one ' +
        'role. The credential comes from the input, a file or the variable ENCRYPTED_JWT, never from an argument. Options ' +
        'outrank the file of --input; those that say what to build are refused beside it.',
    )
    .option('--input <file>', "file with the whole input as JSON, in the state machine's format ('-' = stdin)")
    .option('--account <id>', 'account to build the role in: 12 digits')
    .option('--role <name>', "the role's name")
    .option('--action <action>', 'action of the build (default: create)')
    .option('--build-type <type>', 'type of the build (default: iam_role)')
    .option('--dry-run', 'have the build API only check the request')
    .option('--url <url>', 'URL of the build API')
    .option('--resource <key>', "sort key of the status record (default: '{build type}#{role}')")
    .option('--correlation-id <id>', "the request's ID (default: a new UUID)")
    .option('--trace-header <header>', 'AWS X-Ray trace header (default: a new one)')
    .option(
      '--encrypted-jwt-file <file>',
      "file with the caller's encrypted credential ('-' = stdin; default: the variable ENCRYPTED_JWT)",
    )
    .option('--deadline-seconds <n>', 'give up the build this long after its start (default: never)', seconds)
    .option('--poll-interval-seconds <n>', 'time from the end of one poll to the next (default: 60)', seconds)
    .option(
      '--poll-spread-seconds <n>',
      'wait up to this much longer, at random, before the first poll (default: 0)',
      seconds,
    )
    .option('--requested-by <who>', 'who requested the build, for the history record (default: user@host)')
    .option('--take-over', 'replace records that an execution of Step Functions left IN_PROGRESS')
    .option('--directory-group', "also make the role's group in the directory")
    .option('--attach', 'join the running build of the resource if its build_body and directory_group are equal')
    .option('--wait', 'follow the build to its end')
    .addHelpText(
      'after',
      examples(
        'ENCRYPTED_JWT="$(cat credential)" role-build start --account 123456789012 --role data-reader --url https://builds.example.com --wait',
        'role-build start --input - < input.json',
      ),
    );
}

export async function run(context: CommandContext, options: StartOptions): CommandResult {
  const input = await readInput(options, context.env, context.stdin, context.output);
  const services = await context.services();
  await lookAtRecords(services, input);
  const started: Started = await startBuild(services, input).catch((err: unknown) => {
    if (options.attach !== true) throw err;
    return attach(services, input, err);
  });
  return showStarted(context, services, started, options.wait === true);
}

/**
 * Refuses the start if Step Functions holds a record, and warns of a record that no build can replace. The conditions
 * of the puts check both again, in case such a record appears only now, or the tables can't be reached from here.
 *
 * @throws CliError `inProgress` naming the execution
 */
async function lookAtRecords(services: Services, input: RoleBuildInput): Promise<void> {
  const { tables, dynamoDb, note } = services;
  const key = { account_id: input.build_body.account_id, resource: input.ddb_composite_sort_key };
  const looking = lookForTwins(services, key, input);
  const say = (why: string) =>
    note(`role-build: the records can't be read, so the worker looks whether they may be replaced: ${why}`);
  let found;
  try {
    const read = dynamoDb(() =>
      Promise.all([readStatusRecord(tables, key), readHistoryRecord(tables, input.correlation_id)]),
    );
    found = await Promise.race([read, delay(LOOK_WITHIN_MS, undefined, { ref: false })]);
  } catch (err) {
    if (!(err instanceof CliError)) throw err;
    return say(err.message);
  }
  if (found === undefined) return say(`no answer within ${LOOK_WITHIN_MS / 1000} s`);
  for (const record of found) {
    const held = input.take_over === true ? undefined : heldByStepFunctions(record);
    if (held !== undefined) {
      const fields = { workflow_id: workflowIdOf(key.account_id, key.resource), job_id: record?.job_id };
      throw new CliError('inProgress', held, { fields });
    }
    const odd = withoutStart(record);
    if (odd !== undefined) note(`role-build: a record is in the way: ${odd}`);
  }
  const [{ status, job_id = '' } = {}] = found;
  if (status === 'IN_PROGRESS' && !(await isKnown(services, input, job_id))) {
    note(
      `role-build: job ${oneLine(job_id)} is IN_PROGRESS in the status record, and Temporal does not know it in the namespace ` +
        `${services.namespace}: if it runs in another, the role is built twice; role-build doctor`,
    );
  }
  for (const warning of await looking) note(warning);
}

/** Whether Temporal knows the job in this namespace. */
async function isKnown(services: Services, input: RoleBuildInput, jobId: string): Promise<boolean> {
  const workflowId = workflowIdOf(input.build_body.account_id, input.ddb_composite_sort_key);
  return isStepFunctionsJob(jobId) || (await describeExecution(services, workflowId, jobId)) !== undefined;
}

/** @returns warnings about other builds of the role, or that the caller could not query the table */
async function lookForTwins(
  { tables, dynamoDb }: Services,
  key: StatusKey,
  { build_body }: RoleBuildInput,
): Promise<string[]> {
  try {
    const twins = await dynamoDb(() =>
      findTwins(tables, key, build_body.custom_role_name, AbortSignal.timeout(LOOK_WITHIN_MS)),
    );
    return twins.map(
      ({ resource, job_id }) =>
        `role-build: ${oneLine(resource)} is IN_PROGRESS in this account, job ${oneLine(job_id ?? '(not named)')}: IAM ignores ` +
        'the case of role names, so it is the same role; watch it, or cancel one of the two builds',
    );
  } catch (err) {
    if (!(err instanceof CliError)) throw err;
    return [`role-build: could not check for a build of the same role name in another case: ${err.message}`];
  }
}

/** Joins the running build of the resource if both ask for the same. @throws CliError `inProgress` otherwise */
async function attach(services: Services, input: RoleBuildInput, err: unknown): Promise<Started> {
  if (!(err instanceof BuildInProgressError)) throw err;
  const { workflowId, jobId } = err;
  const runId = (await describeExecution(services, workflowId, jobId))?.runId ?? jobId;
  const running = (await readStarted(services, { workflowId, runId })).input;
  const what = (one: RoleBuildInput) => [one.build_body, one.directory_group === true];
  if (running === undefined || !isDeepStrictEqual(what(running), what(input))) {
    const differs = running?.directory_group === input.directory_group ? 'build_body' : 'build_body or directory_group';
    throw new CliError('inProgress', `${err.message}, and its ${differs} is not the same`, {
      fields: { workflow_id: workflowId, job_id: jobId },
      cause: err,
    });
  }
  return {
    workflow_id: workflowId,
    job_id: jobId,
    correlation_id: running.correlation_id,
    status: 'IN_PROGRESS',
    attached: true,
  };
}
