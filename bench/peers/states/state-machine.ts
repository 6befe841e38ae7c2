/**
 * The job in Amazon States Language, written as in Step Functions' developer guide for a job that is polled: tasks with
 * `Retry`, `Wait`, `Choice`. Local functions replace the tasks' resources when it runs.
 */
import { RETRY } from '../job.ts';

const FINAL = 'FinalError';

function task(name: string, next: string | undefined, resultPath: string | null): object {
  return {
    Type: 'Task',
    Resource: `arn:aws:lambda:us-east-1:123456789012:function:${name}`,
    ResultPath: resultPath,
    Retry: [
      { ErrorEquals: [FINAL], MaxAttempts: 0 },
      {
        ErrorEquals: ['States.ALL'],
        IntervalSeconds: RETRY.firstSeconds,
        BackoffRate: RETRY.backoffRate,
        MaxAttempts: RETRY.attempts - 1,
      },
    ],
    ...(next === undefined ? { End: true } : { Next: next }),
  };
}

export const stateMachine = {
  StartAt: 'UpsertRequestRecord',
  States: {
    UpsertRequestRecord: task('UpsertRequestRecord', 'InsertRequestHistory', null),
    InsertRequestHistory: task('InsertRequestHistory', 'TriggerBuild', null),
    TriggerBuild: task('TriggerBuild', 'WaitForBuildStatus', '$.build'),
    WaitForBuildStatus: { Type: 'Wait', SecondsPath: '$.input.poll_interval_seconds', Next: 'GetBuildStatus' },
    GetBuildStatus: task('GetBuildStatus', 'CheckBuildStatus', '$.answer'),
    CheckBuildStatus: {
      Type: 'Choice',
      Choices: [
        { Variable: '$.answer.can_retry', BooleanEquals: true, Next: 'WaitForBuildStatus' },
        { Variable: '$.answer.build_status', StringEquals: 'SUCCEEDED', Next: 'UpdateSuccessfulRecord' },
      ],
      Default: 'BuildFailed',
    },
    UpdateSuccessfulRecord: task('UpdateSuccessfulRecord', 'UpdateSuccessfulHistory', null),
    UpdateSuccessfulHistory: task('UpdateSuccessfulHistory', undefined, null),
    BuildFailed: { Type: 'Fail', Error: 'BuildFailed' },
  },
};

/** An error that is not retried. */
export class FinalError extends Error {
  override name = FINAL;
}
