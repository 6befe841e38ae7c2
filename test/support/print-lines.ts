/** A test program: prints JSON lines of 1 KB as commands do, and on stderr the most bytes buffered at once. */
import { createOutput } from '../../src/cli/terminal/output.ts';

const lines = Number(process.argv[2]);
const output = createOutput(process);
let held = 0;
for (let line = 1; line <= lines; line += 1) {
  output.json({ line, text: 'x'.repeat(1_000) });
  held = Math.max(held, process.stdout.writableLength);
  await output.drained();
}
const code = await output.finished(0);
process.stderr.write(`held ${held}\n`);
process.exit(code);
