import type { Context } from '@temporalio/activity';
import type { ActivityInterceptors } from '@temporalio/worker';
import { stateNameOf } from '../activities/types.ts';
import { parseRoleBuildId } from '../contract.ts';
import { defined } from '../domain/defined.ts';

/** Adds the build, the step and the attempt to every line that the SDK or an activity logs. */
export function activityLogFields({ info }: Context): ActivityInterceptors {
  const step = stateNameOf(info.activityType);
  let fields: Record<string, unknown> = {
    ...parseRoleBuildId(info.workflowExecution?.workflowId ?? ''),
    step,
    attempt: info.attempt,
  };
  return {
    inbound: {
      execute: (input, next) => {
        fields = { ...idsIn(input.args), ...fields };
        return next(input);
      },
    },
    outbound: { getLogAttributes: (input, next) => next({ ...input, ...fields }) },
  };
}

function idsIn(args: readonly unknown[]): { correlation_id?: string; job_id?: string } {
  const objects = args.flatMap((arg) => (isObject(arg) ? [arg, arg['request'], arg['job']] : [])).filter(isObject);
  const idIn = (name: string) => objects.map((one) => one[name]).find((value) => typeof value === 'string');
  return defined({ correlation_id: idIn('correlation_id'), job_id: idIn('job_id') });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
