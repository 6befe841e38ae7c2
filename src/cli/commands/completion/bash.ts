/**
 * Bash's completion script. The library's needs the package bash-completion, can't be read twice, and has the shell evaluate
 * what is typed and what a folder's files are called; this one does none of that. It works on bash 3.2, which macOS has.
 */
export function bashCompletion(program: string): string {
  const name = `_${program.replaceAll(/\W/g, '_')}_completion`;
  return `# bash completion for ${program}
${name}() {
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
  done < <(${program} complete -- "\${words[@]}" 2>/dev/null)
  [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == */ ]] && compopt -o nospace 2>/dev/null
  return 0
}
complete -F ${name} ${program}
`;
}
