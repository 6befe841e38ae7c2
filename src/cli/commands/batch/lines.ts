/** Splits a text into lines, and reads the lines of NDJSON. */
import type { Fault } from '../../../domain/validate-input.ts';
import { CliError } from '../../errors/cli-error.ts';
import { syntaxProblem } from '../../input/read-input.ts';

/** In characters; longer than any input that is accepted. */
export const LINE_MAX = 4_000_000;
/** The path of a fault that concerns the whole line. */
export const WHOLE_LINE = '(line)';

/** One line's request before defaults are filled in, or why it can't be read. */
export interface Line {
  number: number;
  given?: unknown;
  faults: Fault[];
}

export function describeFault({ path, message }: Fault): string {
  return `${path}: ${message}`;
}

export async function* jsonLines(text: AsyncIterable<string>): AsyncGenerator<Line> {
  let number = 0;
  for await (const json of textLines(text)) {
    number += 1;
    if (json.trim() === '') continue;
    try {
      yield { number, given: JSON.parse(json) as unknown, faults: [] };
    } catch (err) {
      yield { number, faults: [{ path: WHOLE_LINE, message: `is not JSON: ${syntaxProblem(err as Error)}` }] };
    }
  }
}

/**
 * Yields one line at a time. node:readline would read a thousand ahead, and each may be as long as an input may be.
 *
 * @throws CliError `usage` if a line is longer than that
 */
export async function* textLines(text: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of text) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    yield* lines.map(withoutMark);
    if (rest.length > LINE_MAX) throw new CliError('usage', `a line is longer than ${LINE_MAX} characters`);
  }
  if (rest !== '') yield withoutMark(rest);
}

/** Removes a byte order mark. A file made by joining others has one in the middle. */
function withoutMark(line: string): string {
  return line.startsWith('\uFEFF') ? line.slice(1) : line;
}
