import pc from 'picocolors';
import { oneLine, printable } from './output.ts';
import type { Terminal } from './terminal.ts';

/** Colours for text that may come from outside: whatever could drive the terminal is shown instead. */
export interface Style {
  plain(text: string): string;
  bold(text: string): string;
  dim(text: string): string;
  /** A build's status, a step's state, in the colour that it has everywhere. */
  status(text: string): string;
  link(text: string): string;
  command(text: string): string;
  bad(text: string): string;
}

const STATUS_COLOURS: Readonly<Record<string, 'green' | 'red' | 'yellow' | 'cyan'>> = {
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

export function styleFor({ colours }: Pick<Terminal, 'colours'>): Style {
  const paint = pc.createColors(colours);
  return {
    plain: oneLine,
    bold: (text) => paint.bold(oneLine(text)),
    dim: (text) => paint.dim(oneLine(text)),
    status: (text) => {
      const colour = Object.hasOwn(STATUS_COLOURS, text) ? STATUS_COLOURS[text] : undefined;
      return colour === undefined ? oneLine(text) : paint[colour](text);
    },
    link: (text) => paint.underline(oneLine(text)),
    command: (text) => paint.bold(oneLine(text)),
    bad: (text) => paint.red(printable(text)),
  };
}
