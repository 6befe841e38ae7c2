/**
 * How many stack frames an error and each promise keep for the Web UI's call stack. It shows only our own code and what
 * called it, and the default of ten frames took a twelfth of a worker's CPU.
 */
const FRAMES = 5;

// If this module loads inside a workflow's sandbox, `Error` is frozen: an assignment would throw, Reflect.set doesn't.
Reflect.set(Error, 'stackTraceLimit', FRAMES);
