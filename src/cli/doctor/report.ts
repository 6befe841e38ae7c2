/** Shows findings one by one, asks whether to mend each, and keeps count. */
import { createInterface } from 'node:readline';
import type { CommandContext } from '../commands.ts';
import { fields } from '../output.ts';
import type { Finding, Mended } from './kinds.ts';

export interface ReportOptions {
  fix: boolean;
  /** Mend without asking. */
  yes: boolean;
}

export class Report {
  findings = 0;
  mended = 0;
  left = 0;
  /** The user has had enough. */
  quit = false;
  readonly #context: CommandContext;
  readonly #options: ReportOptions;
  readonly #answers: AsyncIterator<string>;
  /** A job is met on several walks. */
  readonly #seen = new Set<string>();
  #all: boolean;

  constructor(context: CommandContext, options: ReportOptions) {
    this.#context = context;
    this.#options = options;
    this.#all = options.yes;
    this.#answers = linesOf(context.stdin);
  }

  async take(finding: Finding): Promise<void> {
    if (this.quit || this.#isSeen(finding)) return;
    this.findings += 1;
    const { json, output } = this.#context;
    const { finding: kind, subject, reason, fix, mend } = finding;
    const shown = { ...subject, reason, fix };
    if (!json) output.line(`${kind}\n${indented(fields(shown))}`);
    const mended = this.#options.fix ? await this.#mend(finding) : undefined;
    if (mended?.result === 'mended') this.mended += 1;
    if (mended?.left !== false) this.left += 1;
    const result = mended === undefined ? {} : { result: mended.result };
    if (json) output.json({ finding: kind, ...shown, fixable: mend !== undefined, ...result });
    else output.line(mended === undefined ? '' : `${indented(fields(result))}\n`);
  }

  async #mend({ finding, subject, reason, fix, mend }: Finding): Promise<Mended> {
    const leftAlone: Mended = { result: 'left alone', left: true };
    if (mend === undefined) return leftAlone;
    const { json, output } = this.#context;
    if (!this.#all && json) output.note(`${finding}\n${indented(fields({ ...subject, reason, fix }))}`);
    return (await this.#isWanted()) ? mend() : leftAlone;
  }

  async #isWanted(): Promise<boolean> {
    if (this.#all) return true;
    this.#context.output.note('mend it? [y/N/all/quit]');
    const { value, done } = await this.#answers.next();
    const answer = done === true ? '' : value.trim().toLowerCase();
    if (answer === 'all') this.#all = true;
    if (answer === 'quit' || answer === 'q') this.quit = true;
    return ['y', 'yes', 'all'].includes(answer);
  }

  #isSeen({ finding, about }: Finding): boolean {
    const key = `${finding} ${about}`;
    if (this.#seen.has(key)) return true;
    this.#seen.add(key);
    return false;
  }
}

async function* linesOf(stdin: NodeJS.ReadableStream): AsyncGenerator<string> {
  yield* createInterface({ input: stdin });
}

function indented(text: string): string {
  return text.replace(/^/gm, '  ');
}
