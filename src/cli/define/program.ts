/** Every command, its arguments, options and help: what `--help`, the completions and docs/cli are made from. */
import { Command } from 'commander';
import { EXIT_CODES } from '../exit-codes.ts';
import { defineCompletion, defineConfig, defineDoctor, defineSetup } from './installation.ts';
import { defineBatch, defineHistory, defineList } from './many-builds.ts';
import { defineCancel, defineOpen, defineResume, defineStart, defineStatus, defineWatch } from './one-build.ts';
import type { Run } from './options.ts';

/** A longer meaning has a line for each command that it is about. */
const LINE_CHARACTERS = 80;

/** @param run what a command's action hands its function to */
export function defineProgram(run: Run): Command {
  const program = new Command('role-build')
    .description('Starts and follows IAM role builds.')
    .option('-V, --version', 'print the version')
    .exitOverride()
    .showSuggestionAfterError()
    .showHelpAfterError('(add --help for more)')
    .addHelpText('after', `\n${exitCodesHelp()}`);
  defineSetup(program, run);
  defineStart(program, run);
  defineBatch(program, run);
  defineStatus(program, run);
  defineWatch(program, run);
  defineCancel(program, run);
  defineResume(program, run);
  defineList(program, run);
  defineHistory(program, run);
  defineOpen(program, run);
  defineDoctor(program, run);
  defineConfig(program, run);
  defineCompletion(program, run);
  return program;
}

function exitCodesHelp(): string {
  const lines = Object.values(EXIT_CODES).map(({ code, meaning }) => {
    const shown = meaning.length < LINE_CHARACTERS ? meaning : meaning.replaceAll(/; (?=\w+: )/g, ';\n       ');
    return `  ${String(code).padStart(3)}  ${shown}`;
  });
  return `Exit codes:\n${lines.join('\n')}`;
}
