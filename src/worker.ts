/**
 * The worker program. It listens for signals before all else is loaded: the first process of a container is not ended by one
 * that it does not listen for, and would come up, poll, and be killed with steps under way.
 */
import { exitOnStopSignal } from './signals.ts';

exitOnStopSignal();
await import('./run-worker.ts');
