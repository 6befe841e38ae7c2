export interface Run {
  /** A short run: fewer rounds and builds, shorter polls. */
  quick: boolean;
  /** Says on stderr what is being done. */
  progress(text: string): void;
}

/** A bar that a ratio is held to, and the one after. */
export interface Bar {
  against: string;
  /** Whether the ratio is to be at most the bar, or at least. */
  is: 'at most' | 'at least';
  bar: number;
  goal?: number;
}

/** One thing measured: a value of each contender a round, by the names of `CONTENDERS` or another that says what it is. */
export interface Row {
  what: string;
  unit: string;
  values: Record<string, number[]>;
  bar?: Bar;
  /** A bar for the value itself, where it does not depend on the machine. */
  atMost?: number;
}

/** Adds a round's value to a row. */
export function addTo({ values }: Row, contender: string, value: number): void {
  (values[contender] ??= []).push(value);
}

/** A quantity as it grows with another, a line for each contender. */
export interface Curve {
  name: string;
  title: string;
  x: string;
  y: string;
  lines: Record<string, [x: number, y: number][]>;
  /** Axes on which each step is ten times the one before; values there are above 0. */
  logarithmic?: readonly ('x' | 'y')[];
}

export interface Result {
  rows: Row[];
  curves?: Curve[];
  /** What a reader has to know of how it was measured in this run. */
  notes: string[];
}

/** One figure of the bench, which brings its own servers. Add one to `index.ts`. */
export interface Figure {
  name: string;
  title: string;
  /** Left out of `--quick` unless it is asked for by name. */
  fullOnly?: boolean;
  measure(run: Run): Promise<Result>;
}
