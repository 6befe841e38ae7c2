/**
 * How many frames are noted of an error, and of each promise, for the Web UI's call stack: it shows no more of them than of
 * our own code and what called it, and noting the default of ten took a twelfth of a worker's CPU.
 */
const FRAMES = 5;

// Not a plain assignment: if this is not loaded ahead of all builds, the sandbox's `Error` is frozen by now.
Reflect.set(Error, 'stackTraceLimit', FRAMES);
