import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { CLIENT_SETTINGS, encryptionOf, readSettings } from '../config.ts';
import { workflowIdOf } from '../contract.ts';
import type { RoleBuildInput } from '../domain/role-build-input.ts';
import { isEncrypting } from '../encryption/settings.ts';
import { openRecordTables } from '../records/dynamodb.ts';
import { readHistoryRecord } from '../records/history-table.ts';
import { readStatusRecord } from '../records/status-table.ts';
import { isHeldByStepFunctions } from '../records/write.ts';
import { isTracing } from '../tracing/settings.ts';
import type { CommandContext, CommandResult } from './commands.ts';
import { CliError } from './errors.ts';
import type { Output } from './output.ts';
import { printStarted } from './print-started.ts';
import { startQuickly } from './quick-start/quick-start.ts';
import { readInput, type InputOptions } from './read-input.ts';

/** A start waits no longer than this for what only the tables know. */
const LOOK_WITHIN_MS = 3_000;

type TableNames = Record<'STATUS_TABLE' | 'HISTORY_TABLE', string>;

export interface StartOptions extends InputOptions {
  wait?: boolean;
  attach?: boolean;
}

export async function start(context: CommandContext, options: StartOptions): CommandResult {
  const { env, output } = context;
  const input = await readInput(options, env, context.stdin, output);
  const settings = readSettings(env, CLIENT_SETTINGS);
  if (input.take_over !== true) await refuseStepFunctions(settings, input, output);
  const requestId = randomUUID();
  // What follows the build needs Temporal's client in any case, and the codec and spans what it loads.
  const isQuick = options.wait !== true && !isEncrypting(encryptionOf(settings)) && !isTracing(settings);
  const started = isQuick ? await startQuickly(env, settings.ROLE_BUILD_TASK_QUEUE, input, requestId) : undefined;
  if (started === undefined) {
    return (await import('./start-with-client.ts')).startWithClient(context, input, requestId, options);
  }
  printStarted(context, started);
  return 'done';
}

/**
 * Leaves a build of Step Functions alone before anything is started. The puts' conditions see to it too, should one begin
 * only now, or the tables not be within reach from here.
 *
 * @throws CliError `inProgress` naming the execution
 */
async function refuseStepFunctions(names: TableNames, input: RoleBuildInput, output: Output): Promise<void> {
  const key = { account_id: input.build_body.account_id, resource: input.ddb_composite_sort_key };
  const tables = openRecordTables({ statusTable: names.STATUS_TABLE, historyTable: names.HISTORY_TABLE });
  let found;
  try {
    const read = Promise.all([readStatusRecord(tables, key), readHistoryRecord(tables, input.correlation_id)]);
    found = await Promise.race([read, delay(LOOK_WITHIN_MS, undefined, { ref: false })]);
  } catch (err) {
    output.note(
      `role-build: the records can't be read, so the worker looks whether they may be replaced: ${(err as Error).message}`,
    );
    return;
  } finally {
    tables.client.destroy();
  }
  const holder = found?.find((record) => isHeldByStepFunctions(record));
  if (holder === undefined) return;
  throw new CliError(
    'inProgress',
    `${holder.job_id}, an execution of Step Functions, is IN_PROGRESS there; --take-over replaces its record`,
    { fields: { workflow_id: workflowIdOf(key.account_id, key.resource), job_id: holder.job_id } },
  );
}
