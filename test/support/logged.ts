import assert from 'node:assert/strict';
import type { LOG_LEVELS } from '../../src/config/settings.ts';
import { createLogger } from '../../src/process/logger.ts';
import { textSink } from './text-sink.ts';

type Line = Record<string, unknown>;

/** Returns a logger and a function that parses its output. */
export function logged(level: (typeof LOG_LEVELS)[number] = 'trace'): {
  logger: ReturnType<typeof createLogger>;
  text(): string;
  lines(): Line[];
} {
  const { stream, text } = textSink();
  return {
    logger: createLogger(level, stream),
    text,
    lines: () =>
      text()
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Line),
  };
}

export function onlyLine(lines: Line[]): Line {
  assert.equal(lines.length, 1);
  return lines[0] as Line;
}

export function withoutTime(line: Line): Line {
  return Object.fromEntries(Object.entries(line).filter(([name]) => name !== 'time'));
}
