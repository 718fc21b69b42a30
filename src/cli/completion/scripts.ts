/** What a shell needs to complete the commands of `crest`. The words come from `crest __complete`. */

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

export const scripts: { readonly [S in Shell]: string } = {
  bash: `# Completion of crest for bash. Write into ~/.bashrc: source <(crest completion bash)
_crest() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :files) compopt -o default ;;
      :nospace) compopt -o nospace ;;
      *) COMPREPLY+=("$line") ;;
    esac
  done < <("$1" __complete bash "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _crest crest
`,
  zsh: `#compdef crest
# Completion of crest for zsh. Write into ~/.zshrc, below compinit: source <(crest completion zsh)
_crest() {
  local line files
  local -a candidates options
  while IFS= read -r line; do
    case $line in
      :files) files=1 ;;
      :nospace) options=(-S '') ;;
      *) candidates+=("\${\${line%%$'\\t'*}//:/\\\\:}\${\${line#*$'\\t'}:+:\${line#*$'\\t'}}") ;;
    esac
  done < <("\${words[1]}" __complete zsh "\${(@)words[2,CURRENT]}" 2>/dev/null)
  (( \${#candidates} )) && _describe crest candidates $options
  if [[ -n $files ]]; then
    compset -P '--*='
    _files
  fi
}
if [[ \${funcstack[1]} == _crest ]]; then _crest "$@"; else compdef _crest crest; fi
`,
  fish: `# Completion of crest for fish. Write: crest completion fish > ~/.config/fish/completions/crest.fish
function __crest_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  for line in ($words[1] __complete fish $words[2..] "$current" 2>/dev/null)
    switch $line
      case ':files'
        __fish_complete_path "$current"
      case ':nospace'
      case '*'
        echo $line
    end
  end
end
complete -c crest -f -a '(__crest_complete)'
`,
};
