/** Shows findings one by one, asks whether to repair each, and counts them. */
import { createInterface } from 'node:readline';
import type { CommandContext } from '../../context.ts';
import { fields } from '../../terminal/output.ts';
import { isDenied, isRefusedWrite, LEFT_ALONE, type Finding, type Repaired } from './findings.ts';

export class Reporter {
  findings = 0;
  repaired = 0;
  left = 0;
  /** Findings among those left that are in doubt, about which `--yes` kept anyone from being asked. */
  doubted = 0;
  readonly #context: CommandContext;
  readonly #options: { fix: boolean; yes: boolean };
  readonly #answers: AsyncIterator<string>;
  /** Findings seen so far, because several passes may find the same job. */
  readonly #seen = new Set<string>();
  #hasQuit = false;
  /** The user answered `all`: repair everything that is not in doubt. */
  #all = false;

  constructor(context: CommandContext, options: { fix: boolean; yes: boolean }) {
    this.#context = context;
    this.#options = options;
    this.#answers = linesOf(context);
  }

  /** Whether to stop: the user quit, or has interrupted the command. */
  get quit(): boolean {
    return this.#hasQuit || this.#context.signal.aborted;
  }

  async take(finding: Finding): Promise<void> {
    const { finding: kind, about, subject, reason, fix, doubt, repair } = finding;
    if (this.quit || this.#seen.has(`${kind} ${about}`)) return;
    this.#seen.add(`${kind} ${about}`);
    this.findings += 1;
    const { json, output } = this.#context;
    const shown = { ...subject, reason, fix };
    if (!json) output.line(`${kind}\n${indented(fields(shown))}`);
    const repaired = this.#options.fix ? await this.#repair(finding) : undefined;
    if (repaired?.result === 'mended') this.repaired += 1;
    if (repaired?.left !== false) this.left += 1;
    const result = repaired?.result;
    if (json) {
      const doubtful = doubt === undefined ? undefined : true;
      output.json({ finding: kind, ...shown, fixable: repair !== undefined, doubtful, result });
    } else {
      const said = result === 'mended' ? 'repaired' : result;
      output.line(said === undefined ? '' : `${indented(fields({ result: said }))}\n`);
    }
  }

  async #repair({ finding, subject, reason, fix, doubt, repair }: Finding): Promise<Repaired> {
    if (repair === undefined) return LEFT_ALONE;
    const { json, output } = this.#context;
    const isAsked = !this.#options.yes && !(this.#all && doubt === undefined);
    if (isAsked && json) output.note(`${finding}\n${indented(fields({ ...subject, reason, fix }))}`);
    if (!isAsked && doubt !== undefined) this.doubted += 1;
    if (isAsked ? !(await this.#isWanted(doubt)) : doubt !== undefined) return LEFT_ALONE;
    // An interrupt must not end the command between the two records of one repair.
    this.#context.endsByItself();
    try {
      return await repair();
    } catch (err) {
      if (!isDenied(err) && !isRefusedWrite(err)) throw err;
      output.note(`it can't be repaired: ${(err as Error).message}`);
      return LEFT_ALONE;
    }
  }

  /** Asks the user. Asks about a finding in doubt even after `all`. */
  async #isWanted(doubt: string | undefined): Promise<boolean> {
    const { output } = this.#context;
    if (doubt !== undefined) output.note(`in doubt: ${doubt}`);
    output.note('repair it? [y/N/all/quit]');
    const { value, done } = await this.#answers.next();
    const answer = done === true ? '' : value.trim().toLowerCase();
    if (answer === 'all') this.#all = true;
    if (answer === 'quit' || answer === 'q') this.#hasQuit = true;
    return ['y', 'yes', 'all'].includes(answer);
  }
}

async function* linesOf({ stdin, signal }: CommandContext): AsyncGenerator<string> {
  yield* createInterface({ input: stdin, signal });
}

function indented(text: string): string {
  return text.replace(/^/gm, '  ');
}
