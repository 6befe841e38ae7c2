/** Stops a build at a moment of a step: before the request is taken, in the middle, or after it took effect. */
import type { Fault, Simulate } from '../../dev/simulated-build-api/server.ts';
import type { EndStatus } from '../../src/domain/record-status.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { HISTORY_TABLE_NAME, STATUS_TABLE_NAME } from '../../src/records/names.ts';
import type { DynamoDbCall } from '../support/dynamodb-proxy.ts';
import { inputFor, type TestStack } from '../support/stack.ts';
import { eventually } from './patience.ts';

export type Moment = 'before' | 'middle' | 'after';

export interface Step {
  /** The name of the state machine's state. */
  name: string;
  end: EndStatus;
  at: { method: 'POST' | 'GET' } | { operation: 'PutItem' | 'UpdateItem'; table: string };
}

const write = (operation: 'PutItem' | 'UpdateItem', table: string) => ({ operation, table });
const finalUpdates = (word: string, end: EndStatus): Step[] => [
  { name: `Update${word}Record`, end, at: write('UpdateItem', STATUS_TABLE_NAME) },
  { name: `Update${word}History`, end, at: write('UpdateItem', HISTORY_TABLE_NAME) },
];

/** Every step that calls another system. */
export const STEPS: readonly Step[] = [
  { name: 'UpsertRequestRecord', end: 'COMPLETE', at: write('PutItem', STATUS_TABLE_NAME) },
  { name: 'InsertRequestHistory', end: 'COMPLETE', at: write('PutItem', HISTORY_TABLE_NAME) },
  { name: 'TriggerBuild', end: 'COMPLETE', at: { method: 'POST' } },
  { name: 'GetBuildStatus', end: 'COMPLETE', at: { method: 'GET' } },
  ...finalUpdates('Successful', 'COMPLETE'),
  ...finalUpdates('Failed', 'FAILED'),
  ...finalUpdates('Cancelled', 'CANCELLED'),
];

/** Long enough for a SIGTERM to reach the worker. */
const SLOW_MS = 3_000;
const API_FAULTS: Record<Moment, Fault> = {
  before: { hang: true, takes_effect: false },
  middle: { delay_ms: SLOW_MS },
  after: { hang: true },
};
const OUTCOMES = { COMPLETE: 'SUCCEEDED', FAILED: 'FAILED', CANCELLED: 'NEVER' } as const;

interface Plan {
  step: Step;
  moment: Moment;
  /** Whether a call was held. Later calls are not held. */
  taken: boolean;
  released: PromiseWithResolvers<undefined>;
}

export class StepPoints {
  readonly #stack: TestStack;
  readonly #plans = new Map<string, Plan>();

  constructor(stack: TestStack) {
    this.#stack = stack;
    stack.proxy.decide = (call) => this.#decide(call);
  }

  /**
   * Returns an input whose build will be held.
   *
   * @param outcome by default that of the step
   */
  plan(step: Step, moment: Moment, outcome: Simulate['outcome'] = OUTCOMES[step.end]): RoleBuildInput {
    const name = `${step.name}-${moment}`;
    const simulate: Simulate = { polls: 0, outcome };
    if ('method' in step.at) simulate[step.at.method === 'POST' ? 'trigger' : 'status'] = [API_FAULTS[moment]];
    const input = inputFor(this.#stack, name, simulate);
    this.#plans.set(input.ddb_composite_sort_key, {
      step,
      moment,
      taken: false,
      released: Promise.withResolvers<undefined>(),
    });
    return input;
  }

  reached(step: Step, input: RoleBuildInput): Promise<void> {
    const { moment } = this.#planOf(input);
    return eventually(`${step.name} is under way (${moment})`, () =>
      'method' in step.at
        ? this.#asked(step.at.method, input).some(({ fault }) => fault !== null)
        : this.#calls(step, input).some(({ answer }) => moment !== 'after' || answer !== undefined),
    );
  }

  /** Releases a build that is held in the middle of a step. */
  release(input: RoleBuildInput): void {
    this.#planOf(input).released.resolve(undefined);
  }

  requests(step: Step, input: RoleBuildInput): number {
    return 'method' in step.at ? this.#asked(step.at.method, input).length : this.#calls(step, input).length;
  }

  #decide(call: DynamoDbCall) {
    for (const [resource, plan] of this.#plans) {
      if (plan.taken || !isOf(call, plan.step, resource)) continue;
      plan.taken = true;
      if (plan.moment === 'middle') return plan.released.promise;
      return plan.moment === 'before' ? 'hang' : 'hang-after';
    }
    return undefined;
  }

  #calls(step: Step, { ddb_composite_sort_key: resource }: RoleBuildInput): DynamoDbCall[] {
    return this.#stack.proxy.calls.filter((call) => isOf(call, step, resource));
  }

  #asked(method: string, { correlation_id }: RoleBuildInput) {
    return this.#stack.buildApi.requests(correlation_id).filter((request) => request.method === method);
  }

  #planOf({ ddb_composite_sort_key: resource }: RoleBuildInput): Plan {
    const plan = this.#plans.get(resource);
    if (plan === undefined) throw new Error(`nothing is planned for ${resource}`);
    return plan;
  }
}

function isOf({ operation, request }: DynamoDbCall, { at }: Step, resource: string): boolean {
  if ('method' in at) return false;
  return (
    at.operation === operation && at.table === request.TableName && JSON.stringify(request).includes(`"${resource}"`)
  );
}
