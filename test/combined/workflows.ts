/** Their waits are real ones, so they are run beside the others. */
export const ON_DEV_SERVER = ['cancelled', 'continue-as-new', 'history-size', 'resume', 'starts', 'traces'].map(
  (name) => `workflows/${name}.test.ts`,
);
