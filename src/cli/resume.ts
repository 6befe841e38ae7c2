import { statusAttributesOf, type RoleBuildInput } from '../domain/role-build-input.ts';
import type { Resumption } from '../domain/resumption.ts';
import { startRoleBuild } from '../start-role-build.ts';
import { parseRoleBuildId } from '../contract.ts';
import { askPerson } from './ask.ts';
import { describeExecution, readBuildHistory } from './build-view.ts';
import type { CommandContext, CommandResult } from './commands.ts';
import { CliError } from './errors.ts';
import { checked, credentialFile, ENCRYPTED_JWT_VARIABLE, readInput } from './read-input.ts';
import { quoted } from './next-move.ts';
import { findResumable, type Resumable } from './resumable.ts';
import type { Services } from './services.ts';
import { showStarted } from './started.ts';
import { checkTarget, findTarget, type Target, type TargetOptions } from './target.ts';

export interface ResumeOptions extends TargetOptions {
  input?: string;
  url?: string;
  encryptedJwtFile?: string;
  deadlineSeconds?: number;
  wait?: boolean;
}

/** Goes on with a build that was given up before the build API had decided it: a new job for the same request. */
export async function resume(
  context: CommandContext,
  account: string | undefined,
  resource: string | undefined,
  options: ResumeOptions,
): CommandResult {
  checkTarget(account, resource, options);
  const services = await context.services();
  const target = await findTarget(services, account, resource, options);
  const ended = await findResumable(services, target);
  const input = await readOwnInput(context, services, target, ended, options);
  refuseOtherRequest(input, ended);

  const resumption: Resumption = {
    resumes: ended.record.job_id,
    ...(ended.build_id === undefined ? {} : { build_id: ended.build_id }),
    previous_jobs: ended.previous_jobs,
  };
  const started = await services.temporal(() =>
    startRoleBuild(services.client, input, { taskQueue: services.taskQueue, resumption }),
  );
  const { resumes, build_id } = resumption;
  context.output.note(
    build_id === undefined
      ? `resumes job ${resumes}: the POST is made again with the same request ID`
      : `resumes job ${resumes}: build ${build_id} is polled on`,
  );
  const shown = { ...started, resumes, ...(build_id === undefined ? {} : { build_id }) };
  return showStarted(context, services, shown, options.wait === true);
}

/** The input of the job that ended, from Temporal's history or from `--input`, with what was given anew. */
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
    const defaults = { correlation_id, trace_header, ...(requested_by === undefined ? {} : { requested_by }) };
    return readInput(options, env, stdin, output, defaults);
  }
  const execution = await describeExecution(services, { ...target, jobId: record.job_id });
  const earlier =
    execution === undefined ? undefined : (await readBuildHistory(services, target.workflowId, execution.runId)).input;
  if (earlier === undefined) {
    throw new CliError('usage', `Temporal no longer has the input of job ${record.job_id}: give it with --input FILE`);
  }
  const credential = (await credentialFile(options, stdin, output)) ?? env[ENCRYPTED_JWT_VARIABLE];
  const input = checked(
    {
      ...earlier,
      ...(options.url === undefined ? {} : { url: options.url }),
      ...(options.deadlineSeconds === undefined ? {} : { deadline_seconds: options.deadlineSeconds }),
      ...(credential === undefined ? {} : { encrypted_jwt: credential }),
    },
    output,
  );
  const isSentAnew = input.encrypted_jwt !== earlier.encrypted_jwt && options.url === undefined;
  if (isSentAnew) await agreeToUrl(context, target, record.job_id ?? '', input.url, options);
  return input;
}

/**
 * The URL of a build is what its starter said, whoever that was. A credential that is not the starter's own goes there only if
 * whoever has it says so.
 *
 * @throws CliError `usage`
 */
async function agreeToUrl(
  context: CommandContext,
  target: Target,
  jobId: string,
  url: string,
  { encryptedJwtFile, wait }: ResumeOptions,
): Promise<void> {
  const chosen = `${url}, which whoever started job ${jobId} chose`;
  if (await askPerson(context, `the new credential goes to ${chosen}: send it there?`)) return;
  const key = parseRoleBuildId(target.workflowId);
  const name = key === undefined ? `--job-id ${jobId}` : `${key.accountId} ${quoted(key.resource)}`;
  const file = encryptedJwtFile === undefined ? '' : ` --encrypted-jwt-file ${quoted(encryptedJwtFile)}`;
  const again = `role-build resume ${name} --url ${quoted(url)}${file}${wait === true ? ' --wait' : ''}`;
  const without = encryptedJwtFile === undefined ? 'unset ENCRYPTED_JWT' : 'leave out --encrypted-jwt-file';
  throw new CliError('usage', `the new credential was not sent: it would go to ${chosen}`, {
    fields: { url },
    hint: `${again}, if that is your build API; or ${without}, to go on with the credential that it was started with`,
  });
}

/** An input from a file may be that of another request. @throws CliError `usage` naming every difference */
function refuseOtherRequest(input: RoleBuildInput, { record }: Resumable): void {
  // Who asks again may do so under another trace.
  const { trace_header: _trace, ...asked } = statusAttributesOf(input);
  const differ = Object.entries(asked).filter(([name, value]) => record[name as keyof typeof asked] !== value);
  if (differ.length === 0) return;
  const names = differ.map(([name]) => name).join(', ');
  throw new CliError('usage', `the input is not that of job ${record.job_id}: ${names} differ from the record`);
}
