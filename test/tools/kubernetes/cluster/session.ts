/** Types commands as a user would, and records them with their output. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { text } from 'node:stream/consumers';
import { WORKER_CONTROLLER } from '../schemas.ts';
import type { Cluster } from './control-plane.ts';

const SHOWN_LINES = 8;
const SHOWN_CHARS = 150;

export interface Typed {
  output: string;
}

export class Session {
  readonly #cluster: Cluster;
  readonly #endedAtMs = new Map<string, number>();
  #last = '';
  #record = '';

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  begin(title: string): void {
    this.#record += `\n## ${title}\n`;
  }

  note(line: string): void {
    this.#record += `\n${line}\n`;
  }

  /**
   * Types a command in the folder that has deploy/kubernetes.
   *
   * @param expected exit codes; 0 by default
   * @throws with its output if it exits with another code
   */
  async type(command: string, ...expected: readonly number[]): Promise<Typed> {
    const start = performance.now();
    const { env, folder } = this.#cluster;
    const child = spawn('bash', ['-o', 'pipefail', '-c', `exec 2>&1\n${command}`], { env, cwd: folder, stdio: 'pipe' });
    child.stdin.end();
    const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit') as Promise<[number]>]);
    this.#last = command;
    this.#endedAtMs.set(command, performance.now());
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    const ended = code === 0 ? `${seconds} s` : `${seconds} s, exit code ${code}`;
    this.#record += `\n\`\`\`console\n$ ${command}\n${this.#shown(output)}# ${ended}\n\`\`\`\n`;
    if (expected.length === 0 ? code !== 0 : !expected.includes(code)) {
      throw new Error(`${command} ended with ${code}:\n${this.#shown(output)}`);
    }
    return { output };
  }

  /** Returns the seconds since this command, or by default the last command, ended. */
  secondsSince(command = this.#last): number {
    return (performance.now() - (this.#endedAtMs.get(command) ?? Number.NaN)) / 1000;
  }

  /** Returns the commands and their output as Markdown. */
  record(kubernetes: string): string {
    const [date] = new Date().toISOString().split('T');
    // Joins the blocks of consecutive commands.
    return `# Moves between states of a cluster, as they were run

By \`npm run test:cluster -- --record\` on ${date}, with Kubernetes ${kubernetes} and the Temporal Worker Controller
${WORKER_CONTROLLER.version}. The overlay \`local\` stands for \`production\`, with addresses of loopback; steps of a roll-out
have 30 s, and set-up ends after 40 s. Processes stand for pods, and \`kubectl scale\` for KEDA.
${this.#record.replaceAll('```\n\n```console\n', '\n')}`;
  }

  /** Removes this machine's paths, and the middle of long output. */
  #shown(output: string): string {
    const here = new RegExp(`${this.#cluster.folder}/|${tmpdir()}/(?=LIVE|MERGED)`, 'g');
    const lines = output.replaceAll(here, '').split('\n').slice(0, -1);
    const more = lines.length - SHOWN_LINES;
    if (more > 1) lines.splice(SHOWN_LINES / 2, more, `… ${more} lines more`);
    return lines.map((line) => `${line.length > SHOWN_CHARS ? `${line.slice(0, SHOWN_CHARS)} …` : line}\n`).join('');
  }
}
