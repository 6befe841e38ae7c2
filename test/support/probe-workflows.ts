/** Our workflow, and beside it one that shows what workflows of one worker share. A bundle's root. */
import { sleep } from '@temporalio/workflow';

export { roleBuild } from '../../src/workflows/index.ts';

/** Module state, as no workflow of ours has it. */
let counted = 0;

/** Counts in a module variable and in a global, and lets other workflows run between. @returns what it saw of both */
export async function probe(rounds: number): Promise<{ ofModule: number[]; ofGlobal: number[] }> {
  const globals = globalThis as { counted?: number };
  const ofModule: number[] = [];
  const ofGlobal: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    counted += 1;
    globals.counted = (globals.counted ?? 0) + 1;
    ofModule.push(counted);
    ofGlobal.push(globals.counted);
    await sleep('1 second');
  }
  return { ofModule, ofGlobal };
}
