// Completion for bash, zsh and fish as text. Pure; the words come from action.ts. A script passes `--config` on when it
// asks for the names of accounts, so that they are those of the file that is meant.

import { shellQuoted } from '../../../program.ts'

export interface Completions {
  readonly commands: readonly { readonly name: string; readonly describe: string }[]
  readonly options: readonly CompletedOption[]
  /** What follows a command that does not take accounts alone. */
  readonly follows: readonly Follow[]
}

interface Follow {
  readonly command: string
  readonly words: readonly string[]
  /** Accounts may be named behind the words. */
  readonly accounts: boolean
}

export interface CompletedOption {
  readonly name: string
  readonly describe: string
  /** What must follow it: a file, one of these words, any word; null: nothing. */
  readonly takes: 'file' | 'word' | readonly string[] | null
}

function lines(all: readonly string[], indent = ''): string {
  return all.map((line) => indent + line).join('\n')
}

export function bash({ commands, options, follows }: Completions): string {
  const names = (takes: (taken: CompletedOption['takes']) => boolean): string[] =>
    options.flatMap((option) => (takes(option.takes) ? [`--${option.name}`] : []))
  const withFile = names((taken) => taken === 'file').join('|')
  const withWord = names((taken) => taken === 'word').join('|')
  const withValue = names((taken) => taken !== null)
    .filter((name) => name !== '--config')
    .join('|')
  const choose = (words: string): string => `mapfile -t COMPREPLY < <(compgen -W ${words} -- "$current")`
  const own = follows.map(
    ({ command, words, accounts }) =>
      `${command}) ${choose(accounts ? `'${words.join(' ')}'" $accounts"` : shellQuoted(words.join(' ')))} ;;`,
  )
  const chosen = options.flatMap(({ name, takes }) =>
    Array.isArray(takes) ? [`--${name}) ${choose(shellQuoted(takes.join(' ')))}; return ;;`] : [],
  )
  return String.raw`_popfetch() {
  local current=${'${COMP_WORDS[COMP_CWORD]}'} before=${'${COMP_WORDS[COMP_CWORD-1]}'} command='' accounts='' i
  local -a config=()
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${'${COMP_WORDS[i]}'} in
      --config) config=(--config "${'${COMP_WORDS[i+1]}'}"); ((i++)) ;;
      ${withValue}) ((i++)) ;;
      -*) ;;
      *) [[ -n $command ]] || command=${'${COMP_WORDS[i]}'} ;;
    esac
  done
  case $before in
    ${withFile}) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
${lines(chosen, '    ')}
    ${withWord}) return ;;
  esac
  if [[ $current == -* ]]; then
    ${choose(shellQuoted(options.map(({ name }) => `--${name}`).join(' ')))}
    return
  fi
  accounts=$(popfetch completion accounts "${'${config[@]}'}" 2>/dev/null)
  case $command in
    '') ${choose(`'${commands.map(({ name }) => name).join(' ')}'" $accounts"`)} ;;
${lines(own, '    ')}
    *) ${choose('"$accounts"')} ;;
  esac
}
complete -F _popfetch popfetch`
}

export function zsh({ commands, options, follows }: Completions): string {
  const escaped = (text: string): string => text.replaceAll(/[[\]:\\]/g, String.raw`\$&`)
  const behind = (takes: CompletedOption['takes']): string => {
    if (takes === null) return ''
    return takes === 'file' ? ':file:_files' : takes === 'word' ? ':value:' : `:value:(${takes.join(' ')})`
  }
  const all = options.map(({ name, describe, takes }) => shellQuoted(`--${name}[${escaped(describe)}]${behind(takes)}`))
  return String.raw`#compdef popfetch
_popfetch() {
  local -a accounts commands
  local context state line
  typeset -A opt_args
  commands=(
${lines(
  commands.map(({ name, describe }) => shellQuoted(`${name}:${escaped(describe)}`)),
  '    ',
)}
  )
  _arguments -S \
${lines(
  all.map((option) => `${option} \\`),
  '    ',
)}
    '1: :->first' '*: :->rest'
  accounts=(${'${(f)"$(popfetch completion accounts ${opt_args[--config]:+--config "${opt_args[--config]}"} 2>/dev/null)"}'})
  case $state in
    first) _describe command commands; compadd -a accounts ;;
    rest)
      case ${'${line[1]}'} in
${lines(
  follows.map(({ command, words, accounts }) => {
    const added = [...(words.length === 0 ? [] : [words.join(' ')]), ...(accounts ? ['-a accounts'] : [])]
    return `${command}) ${added.map((each) => `compadd ${each}`).join('; ')} ;;`
  }),
  '        ',
)}
        *) compadd -a accounts ;;
      esac ;;
  esac
}
if [[ ${'${funcstack[1]}'} == _popfetch ]]; then _popfetch "$@"; else compdef _popfetch popfetch; fi`
}

export function fish({ commands, options, follows }: Completions): string {
  const behind = (takes: CompletedOption['takes']): string => {
    if (takes === null) return ''
    return takes === 'file' ? ' -rF' : takes === 'word' ? ' -x' : ` -xa ${shellQuoted(takes.join(' '))}`
  }
  return String.raw`function __popfetch_accounts
    set -l config
    set -l words (commandline -opc)
    for i in (seq (count $words))
        if test "$words[$i]" = --config; and test $i -lt (count $words)
            set config --config $words[(math $i + 1)]
        end
    end
    popfetch completion accounts $config 2>/dev/null
end
complete -c popfetch -f
complete -c popfetch -n 'not __fish_seen_subcommand_from ${follows
    .filter(({ accounts }) => !accounts)
    .map(({ command }) => command)
    .join(' ')}' -a '(__popfetch_accounts)'
${lines(
  commands.map(
    ({ name, describe }) => `complete -c popfetch -n __fish_use_subcommand -a ${name} -d ${shellQuoted(describe)}`,
  ),
)}
${lines(
  follows.flatMap(({ command, words }) =>
    words.length === 0
      ? []
      : [`complete -c popfetch -n '__fish_seen_subcommand_from ${command}' -a ${shellQuoted(words.join(' '))}`],
  ),
)}
${lines(
  options.map(
    ({ name, describe, takes }) => `complete -c popfetch -l ${name} -d ${shellQuoted(describe)}${behind(takes)}`,
  ),
)}`
}
