import { statusAttributesOf, type RoleBuildInput } from '../domain/role-build-input.ts';
import type { Resumption } from '../domain/resumption.ts';
import { startRoleBuild } from '../start-role-build.ts';
import { describeExecution, readBuildHistory } from './build-view.ts';
import type { CommandContext, CommandResult } from './commands.ts';
import { CliError } from './errors.ts';
import { checked, credentialFile, ENCRYPTED_JWT_VARIABLE, readInput } from './read-input.ts';
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
  { env, stdin, output }: CommandContext,
  services: Services,
  target: Target,
  { record, requested_by }: Resumable,
  options: ResumeOptions,
): Promise<RoleBuildInput> {
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
  const input = {
    ...earlier,
    ...(options.url === undefined ? {} : { url: options.url }),
    ...(options.deadlineSeconds === undefined ? {} : { deadline_seconds: options.deadlineSeconds }),
    ...(credential === undefined ? {} : { encrypted_jwt: credential }),
  };
  return checked(input, output);
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
