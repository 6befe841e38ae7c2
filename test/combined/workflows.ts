/** These tests wait in real time, so they run beside the others. */
export const ON_DEV_SERVER = ['cancelled', 'continue-as-new', 'history-size', 'resume', 'starts', 'traces'].map(
  (name) => `workflows/${name}.test.ts`,
);
