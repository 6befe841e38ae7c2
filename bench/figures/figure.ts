export interface Run {
  /** Whether to run fewer rounds and builds, with shorter polls. */
  quick: boolean;
  /** Reports progress on stderr. */
  progress(text: string): void;
}

/** A limit of a ratio, and the goal beyond it. */
export interface Bar {
  against: string;
  /** Whether the ratio must be at most or at least `bar`. */
  is: 'at most' | 'at least';
  bar: number;
  goal?: number;
}

/** One measured quantity: its values in each round, by a name of `CONTENDERS` or another descriptive name. */
export interface Row {
  what: string;
  unit: string;
  values: Record<string, number[]>;
  bar?: Bar;
  /** A limit of the value itself, if it does not depend on the machine. */
  atMost?: number;
}

export function addTo({ values }: Row, contender: string, value: number): void {
  (values[contender] ??= []).push(value);
}

/** A quantity that grows with another, with a line for each contender. */
export interface Curve {
  name: string;
  title: string;
  x: string;
  y: string;
  lines: Record<string, [x: number, y: number][]>;
  /** The axes with a logarithmic scale, whose values must be above 0. */
  logarithmic?: readonly ('x' | 'y')[];
}

export interface Result {
  rows: Row[];
  curves?: Curve[];
  /** What a reader must know about how this run measured it. */
  notes: string[];
}

/** One figure of the bench, which starts its own servers. Add new ones to `index.ts`. */
export interface Figure {
  name: string;
  title: string;
  /** Left out of `--quick` unless it is named. */
  fullOnly?: boolean;
  measure(run: Run): Promise<Result>;
}
