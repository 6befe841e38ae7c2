/** Shows findings one by one, asks whether to mend each, and keeps count. */
import { createInterface } from 'node:readline';
import type { CommandContext } from '../commands.ts';
import { fields } from '../output.ts';
import { isDenied } from './denied.ts';
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
  /** Of those that are left: in doubt, and nobody was there to be asked. */
  doubted = 0;
  /** The user has had enough. */
  quit = false;
  readonly #context: CommandContext;
  readonly #options: ReportOptions;
  readonly #answers: AsyncIterator<string>;
  /** A job is met on several walks. */
  readonly #seen = new Set<string>();
  /** The user wants all that is not in doubt. */
  #all = false;

  constructor(context: CommandContext, options: ReportOptions) {
    this.#context = context;
    this.#options = options;
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
    const doubtful = finding.doubt === undefined ? {} : { doubtful: true };
    if (json) output.json({ finding: kind, ...shown, fixable: mend !== undefined, ...doubtful, ...result });
    else output.line(mended === undefined ? '' : `${indented(fields(result))}\n`);
  }

  async #mend({ finding, subject, reason, fix, doubt, mend }: Finding): Promise<Mended> {
    const leftAlone: Mended = { result: 'left alone', left: true };
    if (mend === undefined) return leftAlone;
    const { json, output } = this.#context;
    const isAsked = !this.#options.yes && !(this.#all && doubt === undefined);
    if (isAsked && json) output.note(`${finding}\n${indented(fields({ ...subject, reason, fix }))}`);
    if (isAsked ? !(await this.#isWanted(doubt)) : doubt !== undefined) {
      if (!isAsked) this.doubted += 1;
      return leftAlone;
    }
    try {
      return await mend();
    } catch (err) {
      if (!isDenied(err)) throw err;
      output.note(`it can't be mended: ${(err as Error).message}`);
      return leftAlone;
    }
  }

  /** What is in doubt is asked about by itself, whatever was said of all. */
  async #isWanted(doubt: string | undefined): Promise<boolean> {
    const { output } = this.#context;
    if (doubt !== undefined) output.note(`in doubt: ${doubt}`);
    output.note('mend it? [y/N/all/quit]');
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
