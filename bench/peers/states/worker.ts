/** Runs the state machine in an in-memory interpreter: its state is lost when the process ends. */
import { StateMachine, type JSONValue } from 'aws-local-stepfunctions';
import type { RoleBuildInput } from '../../../src/domain/role-build-input.ts';
import { openHttpDoor } from '../http-door.ts';
import * as job from '../job.ts';
import { FinalError, stateMachine } from './state-machine.ts';

/** The data passed from state to state. */
interface Execution {
  input: RoleBuildInput;
  job: { job_id: string; start_at: string };
  build: { build_id: string };
}

const step =
  (run: (execution: Execution) => Promise<unknown>) =>
  async (state: JSONValue): Promise<JSONValue> => {
    try {
      return (await run(state as unknown as Execution)) as JSONValue;
    } catch (err) {
      throw job.isRetryable(err) ? err : new FinalError((err as Error).message);
    }
  };

const taskResourceLocalHandlers = {
  UpsertRequestRecord: step((at) => job.upsertRequestRecord(at.input, at.job)),
  InsertRequestHistory: step((at) => job.insertRequestHistory(at.input, at.job)),
  TriggerBuild: step((at) => job.triggerBuild(at.input)),
  GetBuildStatus: step((at) => job.getBuildStatus(at.input, at.build.build_id)),
  UpdateSuccessfulRecord: step((at) => job.updateSuccessfulRecord(at.input, at.job, at.build.build_id)),
  UpdateSuccessfulHistory: step((at) => job.updateSuccessfulHistory(at.input, at.job, at.build.build_id)),
};

const machine = new StateMachine(stateMachine);
const running = new Set<() => void>();
await openHttpDoor(
  (input) => {
    const execution = { input, job: { job_id: input.correlation_id, start_at: new Date().toISOString() } };
    const { result, abort } = machine.run(execution as unknown as JSONValue, {
      noThrowOnAbort: true,
      overrides: { taskResourceLocalHandlers },
    });
    running.add(abort);
    result.catch((err: unknown) => process.stderr.write(`${String(err)}\n`)).finally(() => running.delete(abort));
    return Promise.resolve();
  },
  () => {
    for (const abort of running) abort();
    return Promise.resolve();
  },
);
process.once('SIGTERM', () => process.exit());
