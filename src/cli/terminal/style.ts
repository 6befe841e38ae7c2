import { styleText } from 'node:util';
import { oneLine } from './output.ts';
import type { Terminal } from './terminal.ts';

/** Colours for text that may come from outside: characters that could control the terminal are escaped. */
export type Style = ReturnType<typeof styleFor>;

type Format = Exclude<Parameters<typeof styleText>[0], readonly unknown[]>;

const STATUS_COLOURS: Readonly<Record<string, Format>> = {
  COMPLETE: 'green',
  FAILED: 'red',
  TERMINATED: 'red',
  TIMED_OUT: 'red',
  CANCELLED: 'yellow',
  IN_PROGRESS: 'cyan',
  done: 'green',
  failed: 'red',
  waiting: 'yellow',
  running: 'cyan',
};

export function styleFor({ colours }: Pick<Terminal, 'colours'>) {
  const paint = (format: Format, text: string) => (colours ? styleText(format, text, { validateStream: false }) : text);
  const inOne = (format: Format) => (text: string) => paint(format, oneLine(text));
  return {
    plain: oneLine,
    bold: inOne('bold'),
    dim: inOne('dim'),
    /** Colours a build's status or a step's state, the same everywhere. */
    status: (text: string) => {
      const colour = Object.hasOwn(STATUS_COLOURS, text) ? STATUS_COLOURS[text] : undefined;
      return colour === undefined ? oneLine(text) : paint(colour, text);
    },
    link: inOne('underline'),
    bad: inOne('red'),
  };
}
