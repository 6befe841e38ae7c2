/**
 * Zsh's completion script. The library's inserts every answer as it stands, so that a file of a hostile name becomes a command,
 * and evaluates part of what is typed; zsh itself quotes what this one offers.
 */
export function zshCompletion(program: string): string {
  const name = `_${program.replaceAll(/\W/g, '_')}_completion`;
  return `#compdef ${program}
# zsh completion for ${program}
${name}() {
  local -a typed=("\${(@Q)words[2,CURRENT]}") found shown folders
  local line value
  for line in "\${(@f)$(${program} complete -- "\${typed[@]}" 2>/dev/null)}"; do
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
if [[ \${funcstack[1]} == _${program} ]]; then
  ${name}
else
  compdef ${name} ${program}
fi
`;
}
