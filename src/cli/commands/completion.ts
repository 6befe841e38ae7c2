import tab from '@bomb.sh/tab';
import { Argument, type Command } from 'commander';
import type { CommandContext, CommandResult } from '../context.ts';
import { examples } from '../options.ts';

/**
 * Bash's completion script. The library's script needs the package bash-completion, can't be loaded twice, and has the
 * shell evaluate typed text and file names. This one does none of that, and works on bash 3.2, which macOS has.
 */
const BASH = `# bash completion for role-build
_role_build_completion() {
  local IFS=$'\\n' typed=\${COMP_WORDS[COMP_CWORD]} words=() previous= word found
  # Bash takes --option=value for three words.
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD}"; do
    if [[ \${#words[@]} -gt 0 && ( $word == '=' || $previous == '=' ) ]]; then
      words[\${#words[@]}-1]+=$word
    else
      words+=("$word")
    fi
    previous=$word
  done
  [[ $typed == '=' ]] && typed=
  COMPREPLY=()
  while read -r found; do
    found=\${found%%$'\\t'*}
    [[ $found != :* && $found == "$typed"* ]] && COMPREPLY+=("$(printf %q "$found")")
  done < <(role-build complete -- "\${words[@]}" 2>/dev/null)
  [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == */ ]] && compopt -o nospace 2>/dev/null
  return 0
}
complete -F _role_build_completion role-build
`;

/**
 * Zsh's completion script. The library's script inserts answers unquoted, so that a file with a hostile name becomes a
 * command, and evaluates part of what is typed. Here zsh itself quotes what is offered.
 */
const ZSH = `#compdef role-build
# zsh completion for role-build
_role_build_completion() {
  local -a typed=("\${(@Q)words[2,CURRENT]}") found shown folders
  local line value
  for line in "\${(@f)$(role-build complete -- "\${typed[@]}" 2>/dev/null)}"; do
    value=\${line%%$'\\t'*}
    [[ -z $value || $value == :* ]] && continue
    if [[ $value == */ ]]; then
      folders+=("$value")
    else
      found+=("$value")
      [[ $line == *$'\\t'?* ]] && value="\${value}\${(l:28-\${#value}:):-} \${line#*$'\\t'}"
      shown+=("$value")
    fi
  done
  # Of --option=value the value alone is offered.
  [[ $PREFIX == --*=* ]] && compset -P '*='
  [[ \${#folders} -gt 0 ]] && compadd -S '' -- "\${folders[@]}"
  [[ \${#found} -gt 0 ]] && compadd -l -d shown -- "\${found[@]}"
}
# As a file in fpath it is this function; read by a shell, it says whose completion it is.
if [[ \${funcstack[1]} == _role-build ]]; then
  _role_build_completion
else
  compdef _role_build_completion role-build
fi
`;

const SCRIPTS = { bash: () => BASH, zsh: () => ZSH, fish: fishCompletion };

export function define(command: Command): Command {
  return command
    .description("Prints a script that teaches a shell the program's commands and options.")
    .addArgument(new Argument('<shell>', 'which one').choices(Object.keys(SCRIPTS)))
    .addHelpText(
      'after',
      examples(
        'source <(role-build completion bash)',
        'source <(role-build completion zsh)',
        'role-build completion fish | source',
      ),
    );
}

/** Prints the script. At each Tab, the script calls the command `complete`. */
export async function run({ output, args, json }: CommandContext): CommandResult {
  const [shell] = args as [keyof typeof SCRIPTS];
  const script = SCRIPTS[shell]();
  if (json) output.json({ shell, script });
  else output.script(script);
  return 'done';
}

/** Captures fish's script, which the library only prints to the console. */
function fishCompletion(): string {
  const lines: string[] = [];
  const { log } = console;
  console.log = (line: string) => void lines.push(line);
  try {
    tab.setup('role-build', 'role-build', 'fish');
  } finally {
    console.log = log;
  }
  return lines.join('\n');
}
