/** The steps of a build so far, in order, as people want to see them: polls are one step, as are rounds of a write. */
import { STATE_NAMES } from '../../activities/types.ts';
import { WAIT_SUMMARY } from '../../contract.ts';
import type { Polls } from '../../domain/build-status.ts';
import { defined } from '../../domain/defined.ts';

export interface StepProgress {
  /** The state's name in the Step Functions state machine. */
  step: string;
  state: 'scheduled' | 'done' | 'failed';
  at: string;
  attempts: number;
  failure?: string;
}

export interface BuildStep {
  step: string;
  state: 'running' | 'waiting' | 'done' | 'failed';
  /** The attempts of all rounds for a final record update; the attempts of the last poll for the polls. */
  attempts: number;
  started_at: string;
  ended_at?: string;
  /** The end of the current wait. */
  until?: string;
  polls?: number;
  last_status?: string;
  failure?: string;
}

/** What a build does now, from which its steps are made. */
export interface Now extends Polls {
  current?: StepProgress;
  next_poll_at?: string;
  /** When a poll or a final record update that failed will be tried again. */
  next_attempt_at?: string;
}

/** Updates the steps in place with what the build does now. A second call changes nothing. */
export function noteStep(steps: BuildStep[], now: Now): void {
  const { current } = now;
  if (steps.at(-1)?.step === WAIT_SUMMARY && current?.step !== WAIT_SUMMARY) steps.pop();
  const last = steps.at(-1);
  // The step was about to be tried again, but the build has gone on without it.
  if (last?.state === 'waiting' && last.step !== WAIT_SUMMARY && last.step !== current?.step) {
    delete last.until;
    last.state = 'failed';
  }
  if (current === undefined) return;
  const { step, at, attempts } = current;
  if (step === WAIT_SUMMARY) {
    const wait: BuildStep = { step, state: 'waiting', attempts: 1, started_at: at };
    if (steps.at(-1)?.step === WAIT_SUMMARY) steps.pop();
    steps.push(now.next_poll_at === undefined ? wait : { ...wait, until: now.next_poll_at });
    return;
  }
  if (step === STATE_NAMES.getBuildStatus) return notePoll(steps, current, now);
  const earlier = steps.findLast((one) => one.step === step);
  if (earlier === undefined || earlier.state === 'done') {
    if (earlier?.ended_at !== at) steps.push(stepOf(current, now, attempts, at));
    return;
  }
  const isNewRound = current.state === 'scheduled' && earlier.state !== 'running';
  const before = roundsBefore.get(earlier) ?? 0;
  const base = isNewRound ? earlier.attempts : before;
  const updated = stepOf(current, now, base + attempts, earlier.started_at);
  roundsBefore.set(updated, base);
  steps[steps.lastIndexOf(earlier)] = updated;
}

/** The attempts of earlier rounds, by step. */
const roundsBefore = new WeakMap<BuildStep, number>();

function stepOf(current: StepProgress, now: Now, attempts: number, started_at: string): BuildStep {
  const { step, at, state, failure } = current;
  const waits = state === 'failed' && now.next_attempt_at !== undefined;
  return {
    step,
    state: state === 'scheduled' ? 'running' : waits ? 'waiting' : state,
    attempts,
    started_at,
    ...defined({ ended_at: state === 'scheduled' || waits ? undefined : at }),
    ...defined({ until: waits ? now.next_attempt_at : undefined, failure }),
  };
}

/** Notes a poll. Polls appear in the history only when they are over. */
function notePoll(steps: BuildStep[], current: StepProgress, now: Now): void {
  const i = steps.findLastIndex(({ step }) => step === current.step);
  const { failure, ...rest } = stepOf(current, now, current.attempts, steps[i]?.started_at ?? current.at);
  const poll: BuildStep = { ...rest, polls: now.polls, ...defined({ last_status: now.last_status, failure }) };
  if (i === -1) steps.push(poll);
  else steps[i] = poll;
}
