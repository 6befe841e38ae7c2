import { createInterface } from 'node:readline';
import { statusAttributesOf, type RoleBuildInput } from '../../domain/role-build-input.ts';
import { defined } from '../../domain/defined.ts';
import type { Resumption } from '../../domain/resumption.ts';
import { parseRoleBuildId } from '../../contract.ts';
import { describeExecution, readBuildState } from '../build/view.ts';
import type { CommandContext, CommandResult } from '../context.ts';
import { CliError } from '../errors/cli-error.ts';
import { checked, credentialFile, ENCRYPTED_JWT_VARIABLE, readInput } from '../input/read-input.ts';
import { quoted } from '../build/next-step.ts';
import { findResumable, type Resumable } from '../build/resumable.ts';
import type { Services } from '../services.ts';
import { showStarted, startBuild } from '../build/started.ts';
import { openTarget, type Target, type TargetOptions } from '../build/target.ts';
import { oneLine } from '../terminal/output.ts';
import type { Command } from 'commander';
import { examples, namesOneBuild, seconds } from '../options.ts';

export interface ResumeOptions extends TargetOptions {
  input?: string;
  url?: string;
  encryptedJwtFile?: string;
  deadlineSeconds?: number;
  wait?: boolean;
}

export function define(command: Command): Command {
  return namesOneBuild(command)
    .option(
      '--url <url>',
      'URL of the build API (default: as before; a fresh credential is sent there only if you confirm it or give this option)',
    )
    .option(
      '--encrypted-jwt-file <file>',
      "file with a fresh credential ('-' = stdin; default: the variable ENCRYPTED_JWT, else as before)",
    )
    .option('--deadline-seconds <n>', 'give up the build this long after this start (default: as before)', seconds)
    .option('--input <file>', "the request's input as JSON, if Temporal no longer has it ('-' = stdin)")
    .option('--wait', 'follow the build to its end')
    .addHelpText('after', examples("role-build resume 123456789012 'iam_role#data-reader' --wait"));
}

/** Goes on with a build that was given up before the build API had decided it, as a new job for the same request. */
export async function run(context: CommandContext, options: ResumeOptions): CommandResult {
  const { services, target } = await openTarget(context, options);
  const ended = await findResumable(services, target);
  const input = await readOwnInput(context, services, target, ended, options);
  refuseOtherRequest(input, ended);

  const { build_id, previous_jobs } = ended;
  const resumes = ended.record.job_id;
  const resumption: Resumption = { resumes, previous_jobs, ...defined({ build_id }) };
  const started = await startBuild(services, input, resumption);
  context.output.note(
    build_id === undefined
      ? `resumes job ${resumes}: the POST is made again with the same request ID`
      : `resumes job ${resumes}: build ${oneLine(build_id)} is polled on`,
  );
  return showStarted(context, services, { ...started, resumes, ...defined({ build_id }) }, options.wait === true);
}

/** Reads the input of the job that ended, from the history or from `--input`, and applies this command's options. */
async function readOwnInput(
  context: CommandContext,
  services: Services,
  target: Target,
  { record, requested_by }: Resumable,
  options: ResumeOptions,
): Promise<RoleBuildInput> {
  const { env, stdin, output } = context;
  if (options.input !== undefined) {
    const { correlation_id, trace_header } = record;
    return readInput(options, env, stdin, output, defined({ correlation_id, trace_header, requested_by }));
  }
  const execution = await describeExecution(services, target.workflowId, record.job_id);
  const earlier =
    execution === undefined ? undefined : (await readBuildState(services, target.workflowId, execution.runId)).input;
  if (earlier === undefined) {
    throw new CliError('usage', `Temporal no longer has the input of job ${record.job_id}: give it with --input FILE`);
  }
  const credential = (await credentialFile(options, stdin, output)) ?? env[ENCRYPTED_JWT_VARIABLE];
  const { url, deadlineSeconds: deadline_seconds } = options;
  const input = checked({ ...earlier, ...defined({ url, deadline_seconds, encrypted_jwt: credential }) }, output);
  const isSentAnew = input.encrypted_jwt !== earlier.encrypted_jwt && url === undefined;
  if (isSentAnew) await agreeToUrl(context, target, record.job_id, input.url, options);
  return input;
}

/**
 * Asks before a credential that is not the starter's goes to the build's URL, because the starter chose that URL.
 *
 * @throws CliError `usage` if the user does not agree
 */
async function agreeToUrl(
  context: CommandContext,
  target: Target,
  jobId: string,
  url: string,
  { encryptedJwtFile, wait }: ResumeOptions,
): Promise<void> {
  const chosen = `${url}, which the starter of job ${jobId} chose`;
  if (await agrees(context, `the new credential goes to ${chosen}: send it there?`)) return;
  const key = parseRoleBuildId(target.workflowId);
  const name = key === undefined ? `--job-id ${jobId}` : `${key.account_id} ${quoted(key.resource)}`;
  const file = encryptedJwtFile === undefined ? '' : ` --encrypted-jwt-file ${quoted(encryptedJwtFile)}`;
  const again = `role-build resume ${name} --url ${quoted(url)}${file}${wait === true ? ' --wait' : ''}`;
  const without = encryptedJwtFile === undefined ? 'unset ENCRYPTED_JWT' : 'leave out --encrypted-jwt-file';
  throw new CliError('usage', `the new credential was not sent: it would go to ${chosen}`, {
    fields: { url },
    hint: `${again}, if that is your build API; or ${without}, to go on with the credential that it was started with`,
  });
}

/** Asks the person at the terminal. @returns whether the answer is yes; `false` without a terminal or with `--quiet` */
async function agrees({ stdin, output, signal }: CommandContext, question: string): Promise<boolean> {
  const { isTTY = false } = stdin as Partial<NodeJS.ReadStream>;
  if (!isTTY || output.canvas === undefined) return false;
  output.note(`${question} [y/N]`);
  const lines = createInterface({ input: stdin, signal });
  try {
    // The end of the input, as by Ctrl-D, counts as no.
    for await (const line of lines) return /^y(es)?$/i.test(line.trim());
    return false;
  } finally {
    lines.close();
  }
}

/** Refuses an input of another request, as a file may have. @throws CliError `usage` naming every difference */
function refuseOtherRequest(input: RoleBuildInput, { record }: Resumable): void {
  // The trace may differ: a request that is made again may belong to another.
  const { trace_header: _trace, ...attributes } = statusAttributesOf(input);
  const entries = Object.entries(attributes);
  const differ = entries.filter(([name, value]) => record[name as keyof typeof attributes] !== value);
  const names = differ.map(([name]) => name);
  // The record does not store whether a group was requested; only a failure of the directory shows it.
  if (record.error_info?.Error.startsWith('Directory') && !input.directory_group) names.push('directory_group');
  if (names.length === 0) return;
  const what = names.join(', ');
  throw new CliError('usage', `the input is not that of job ${record.job_id}: ${what} differ from the record`);
}
