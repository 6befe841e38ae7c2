import type { Fault, FaultsRequest } from './faults.ts';

export type Step = 'trigger' | 'status';

interface Queued {
  /** If given, the fault applies only to this request ID. */
  correlation_id: string | undefined;
  fault: Fault | null;
}

/** The faults queued through `/_simulator/faults`, each for one future request. */
export class FaultQueue {
  #waiting: Record<Step, Queued[]> = { trigger: [], status: [] };

  put({ trigger = [], status = [], correlation_id }: FaultsRequest): void {
    this.#waiting.trigger.push(...trigger.map((fault) => ({ correlation_id, fault })));
    this.#waiting.status.push(...status.map((fault) => ({ correlation_id, fault })));
  }

  /** @returns the first fault that applies to the request and removes it, or `undefined` if none applies */
  take(step: Step, correlationId: string): Fault | null | undefined {
    const waiting = this.#waiting[step];
    const index = waiting.findIndex(
      ({ correlation_id }) => correlation_id === undefined || correlation_id === correlationId,
    );
    return index === -1 ? undefined : waiting.splice(index, 1)[0]?.fault;
  }

  clear(): void {
    this.#waiting = { trigger: [], status: [] };
  }
}
