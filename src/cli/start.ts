import { isDeepStrictEqual } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import { workflowIdOf } from '../contract.ts';
import type { RoleBuildInput } from '../domain/role-build-input.ts';
import { readHistoryRecord } from '../records/history-table.ts';
import { findTwins, readStatusRecord, type StatusKey } from '../records/status-table.ts';
import { heldByStepFunctions, withoutStart } from '../records/in-the-way.ts';
import { BuildInProgressError, startRoleBuild } from '../start-role-build.ts';
import { readBuildHistory } from './build-view.ts';
import type { CommandContext, CommandResult } from './commands.ts';
import { CliError } from './errors.ts';
import { oneLine, type Output } from './output.ts';
import { readInput, type InputOptions } from './read-input.ts';
import type { Services } from './services.ts';
import { showStarted, type Started } from './started.ts';

/** A start waits no longer than this for what only the tables know. */
const LOOK_WITHIN_MS = 3_000;

export interface StartOptions extends InputOptions {
  wait?: boolean;
  attach?: boolean;
}

export async function start(context: CommandContext, options: StartOptions): CommandResult {
  const { env, output } = context;
  const input = await readInput(options, env, context.stdin, output);
  const services = await context.services();
  await lookAtRecords(services, input, output);
  const { client, taskQueue } = services;
  const started: Started = await services
    .temporal(() => startRoleBuild(client, input, { taskQueue }))
    .catch((err: unknown) => {
      if (options.attach !== true) throw err;
      return attach(services, input, err);
    });
  return showStarted(context, services, started, options.wait === true);
}

/**
 * Leaves a build of Step Functions alone before anything is started, and says which record no build can replace. The puts'
 * conditions see to both too, should one begin only now, or the tables not be within reach from here.
 *
 * @throws CliError `inProgress` naming the execution
 */
async function lookAtRecords(services: Services, input: RoleBuildInput, output: Output): Promise<void> {
  const { tables, dynamoDb } = services;
  const key = { account_id: input.build_body.account_id, resource: input.ddb_composite_sort_key };
  const looking = lookForTwins(services, key, input);
  let found;
  try {
    const read = dynamoDb(() =>
      Promise.all([readStatusRecord(tables, key), readHistoryRecord(tables, input.correlation_id)]),
    );
    found = await Promise.race([read, delay(LOOK_WITHIN_MS, undefined, { ref: false })]);
  } catch (err) {
    if (!(err instanceof CliError)) throw err;
    output.note(
      `role-build: the records can't be read, so the worker looks whether they may be replaced: ${err.message}`,
    );
    return;
  }
  for (const record of found ?? []) {
    const held = input.take_over === true ? undefined : heldByStepFunctions(record);
    if (held !== undefined) {
      const fields = { workflow_id: workflowIdOf(key.account_id, key.resource), job_id: record?.job_id };
      throw new CliError('inProgress', held, { fields });
    }
    const odd = withoutStart(record);
    if (odd !== undefined) output.note(`role-build: a record is in the way: ${odd}`);
  }
  for (const note of await looking) output.note(note);
}

/** @returns what is to be said of other builds of the role; not every caller may query the table */
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
        `role-build: ${oneLine(resource)} is IN_PROGRESS in this account, job ${job_id ?? '(not named)'}: to IAM, whose role ` +
        'names differ by more than case, it is the same role; watch it, or cancel one of the two builds',
    );
  } catch (err) {
    if (!(err instanceof CliError)) throw err;
    return [`role-build: whether a build runs for the role's name in another case can't be told: ${err.message}`];
  }
}

/** Joins the build that holds the resource, where it asks for the same. @throws CliError `inProgress` where it doesn't */
async function attach(services: Services, input: RoleBuildInput, err: unknown): Promise<Started> {
  if (!(err instanceof BuildInProgressError)) throw err;
  const { workflowId, jobId } = err;
  const running = (await readBuildHistory(services, workflowId, jobId)).input;
  if (running === undefined || !isDeepStrictEqual(running.build_body, input.build_body)) {
    throw new CliError('inProgress', `${err.message}, and its build_body is not the same`, {
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
