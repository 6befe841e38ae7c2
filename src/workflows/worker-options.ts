/** Options of the worker that runs this code. It writes them in front of the bundle (src/worker/bundle.ts). */
export interface WorkflowOptions {
  /** Whether the messages and stack traces of failures go where the codec encrypts them. */
  encryptsFailures: boolean;
  /** Whether the worker sends traces. */
  traced: boolean;
}

declare global {
  var roleBuildWorkflowOptions: WorkflowOptions | undefined;
}

export const { encryptsFailures = false, traced = false }: Partial<WorkflowOptions> =
  globalThis.roleBuildWorkflowOptions ?? {};
