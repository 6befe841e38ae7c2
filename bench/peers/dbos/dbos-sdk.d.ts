/** Types of the parts of DBOS Transact that we use, so that `npm run check` works without the bench's packages. */
declare module '@dbos-inc/dbos-sdk' {
  interface StepConfig {
    name?: string;
    retriesAllowed?: boolean;
    maxAttempts?: number;
    intervalSeconds?: number;
    backoffRate?: number;
    shouldRetry?: (error: unknown) => boolean;
  }

  export const DBOS: {
    setConfig(config: { name: string; systemDatabaseUrl: string; applicationVersion: string; logLevel: string }): void;
    launch(): Promise<void>;
    readonly workflowID: string | undefined;
    now(): Promise<number>;
    sleep(durationMs: number): Promise<void>;
    runStep<T>(step: () => Promise<T>, config?: StepConfig): Promise<T>;
    registerWorkflow<A extends unknown[], T>(
      workflow: (...args: A) => Promise<T>,
      config: { name: string },
    ): (...args: A) => Promise<T>;
    startWorkflow<A extends unknown[], T>(
      workflow: (...args: A) => Promise<T>,
      params: { workflowID: string },
    ): (...args: A) => Promise<unknown>;
    listWorkflows(filter: { status: string }): Promise<{ workflowID: string }[]>;
    cancelWorkflows(workflowIDs: string[]): Promise<void>;
  };
}
