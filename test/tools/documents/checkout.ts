/** A copy of this checkout, with a shell that has the programs that the documents' commands use. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { environmentOf } from '../../../dev/stack.ts';
import { root } from '../../docs/pages.ts';

const LEFT_BEHIND = ['.git', 'node_modules', 'dist'];

export interface Checkout {
  folder: string;
  /** Puts a program on the shell's PATH. @param command a shell command without its arguments */
  addProgram(name: string, command: string): Promise<void>;
  /**
   * Runs a script in `bash`, which ends at the first command that fails.
   *
   * @param onOutput called with each chunk of output
   * @returns the output of both streams
   */
  run(
    script: string,
    settings?: Record<string, string>,
    onOutput?: (chunk: string) => void,
  ): Promise<{ code: number | null; output: string }>;
  remove(): Promise<void>;
}

/** @param settings of all scripts, read when one is run */
export async function copyCheckout(settings: Record<string, string>): Promise<Checkout> {
  const parent = await mkdtemp(join(tmpdir(), 'documents-'));
  const folder = join(parent, 'checkout');
  const programs = join(parent, 'bin');
  await mkdir(programs);
  await cp(root, folder, { recursive: true, filter: (path) => !LEFT_BEHIND.includes(basename(path)) });
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  return {
    folder,
    addProgram: async (name, command) => {
      await writeFile(join(programs, name), `#!/bin/sh\nexec ${command} "$@"\n`);
      await chmod(join(programs, name), 0o755);
    },
    run: async (script, more = {}, onOutput = () => {}) => {
      const env = environmentOf({ ...settings, ...more });
      env['PATH'] = `${programs}:${join(root, 'node_modules/.bin')}:${env['PATH']}`;
      const child = spawn('bash', ['-euo', 'pipefail', '-c', `exec 2>&1\n${script}`], {
        cwd: folder,
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      child.stdout.setEncoding('utf8').on('data', onOutput);
      const [output, [code]] = await Promise.all([
        text(child.stdout),
        once(child, 'close') as Promise<[number | null]>,
      ]);
      return { code, output };
    },
    remove: () => rm(parent, { recursive: true, force: true }),
  };
}
