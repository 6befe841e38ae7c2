/** Emulates a terminal: interprets as many control sequences as our command line uses. */

export interface Cell {
  text: string;
  /** SGR parameters in force, such as `1` for bold. */
  style: readonly number[];
}

const ESCAPE = String.fromCharCode(0x1b);
/** A control sequence, another escape sequence, or a character. */
const TOKEN = new RegExp(String.raw`${ESCAPE}\[([?\d;]*)([A-Za-z])|${ESCAPE}[^[]|[\s\S]`, 'gu');
const UNFINISHED = new RegExp(String.raw`${ESCAPE}(\[[?\d;]*)?$`);

export class Screen {
  readonly columns: number;
  readonly rows: number;
  /** All lines, including those that have scrolled off the top. */
  readonly lines: Cell[][] = [[]];
  #row = 0;
  #column = 0;
  #style: readonly number[] = [];
  #rest = '';

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
  }

  write(output: string): void {
    const text = this.#rest + output;
    const cut = UNFINISHED.exec(text);
    this.#rest = cut?.[0] ?? '';
    for (const [token, parameters, command] of text.slice(0, text.length - this.#rest.length).matchAll(TOKEN)) {
      if (command !== undefined) this.#control(command, parameters ?? '');
      else if (token === '\n') this.#down();
      else if (token === '\r') this.#column = 0;
      else if (token >= ' ') this.#put(token);
    }
  }

  text(): string {
    return this.lines
      .map((line) => textOf(line).trimEnd())
      .join('\n')
      .trimEnd();
  }

  visible(): Cell[][] {
    return this.lines.slice(Math.max(0, this.lines.length - this.rows));
  }

  #put(character: string): void {
    if (this.#column >= this.columns) {
      this.#column = 0;
      this.#down();
    }
    const line = this.#line();
    while (line.length < this.#column) line.push({ text: ' ', style: [] });
    line[this.#column] = { text: character, style: this.#style };
    this.#column += 1;
  }

  #down(): void {
    this.#row += 1;
    if (this.lines[this.#row] === undefined) this.lines.push([]);
  }

  #line(): Cell[] {
    return (this.lines[this.#row] ??= []);
  }

  #control(command: string, parameters: string): void {
    const n = Number(parameters) || 1;
    const top = Math.max(0, this.lines.length - this.rows);
    switch (command) {
      case 'A':
        this.#row = Math.max(top, this.#row - n);
        break;
      case 'B':
        this.#row = Math.min(this.lines.length - 1, this.#row + n);
        break;
      case 'C':
        this.#column += n;
        break;
      case 'D':
        this.#column = Math.max(0, this.#column - n);
        break;
      case 'G':
        this.#column = n - 1;
        break;
      case 'K':
        if (parameters === '2') this.#line().length = 0;
        else this.#line().length = Math.min(this.#line().length, this.#column);
        break;
      case 'J':
        this.#line().length = Math.min(this.#line().length, this.#column);
        for (let row = this.#row + 1; row < this.lines.length; row += 1) this.lines[row] = [];
        break;
      case 'm':
        this.#style = sgr(this.#style, parameters);
        break;
      default:
      // The cursor's shape and synchronised updates don't change the text.
    }
  }
}

export function textOf(line: readonly Cell[]): string {
  return line.map(({ text }) => text).join('');
}

function sgr(style: readonly number[], parameters: string): readonly number[] {
  let now = [...style];
  for (const n of parameters.split(';').map(Number)) {
    if (n === 0) now = [];
    else if (n === 22) now = now.filter((one) => one !== 1 && one !== 2);
    else if (n === 24) now = now.filter((one) => one !== 4);
    else if (n === 39) now = now.filter((one) => one < 30 || one > 97);
    else now = [...now.filter((one) => one !== n), n];
  }
  return now;
}
