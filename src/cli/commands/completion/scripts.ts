// Completion for bash, zsh and fish as text. Pure; the words come from completion.ts. `--config` is passed on when names of
// accounts are asked for, so that they are those of the file that is meant.

export interface Vocabulary {
  readonly commands: readonly { readonly name: string; readonly describe: string }[]
  readonly options: readonly Option[]
  /** What may follow --log-level. */
  readonly levels: readonly string[]
  /** What follows a command that takes other words than accounts. */
  readonly follows: readonly Follow[]
}

interface Follow {
  readonly command: string
  readonly words: readonly string[]
  /** Behind the words accounts may be named. */
  readonly accounts: boolean
}

interface Option {
  readonly name: string
  readonly describe: string
  /** What must follow it; null: nothing. */
  readonly takes: 'file' | 'level' | 'word' | null
}

/** In the single quotes of a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}

function lines(all: readonly string[], indent = ''): string {
  return all.map((line) => indent + line).join('\n')
}

export function bash({ commands, options, levels, follows }: Vocabulary): string {
  const after = (takes: Option['takes']): string =>
    options.flatMap((option) => (option.takes === takes ? [`--${option.name}`] : [])).join('|')
  const choose = (words: string): string => `mapfile -t COMPREPLY < <(compgen -W ${words} -- "$current")`
  const own = follows.map(
    ({ command, words, accounts }) =>
      `${command}) ${choose(accounts ? `'${words.join(' ')}'" $accounts"` : quoted(words.join(' ')))} ;;`,
  )
  return String.raw`_popfetch() {
  local current=${'${COMP_WORDS[COMP_CWORD]}'} before=${'${COMP_WORDS[COMP_CWORD-1]}'} command='' accounts='' i
  local -a config=()
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${'${COMP_WORDS[i]}'} in
      --config) config=(--config "${'${COMP_WORDS[i+1]}'}"); ((i++)) ;;
      ${after('file').replace('--config|', '')}|${after('level')}|${after('word')}) ((i++)) ;;
      -*) ;;
      *) [[ -n $command ]] || command=${'${COMP_WORDS[i]}'} ;;
    esac
  done
  case $before in
    ${after('file')}) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    ${after('level')}) ${choose(quoted(levels.join(' ')))}; return ;;
    ${after('word')}) return ;;
  esac
  if [[ $current == -* ]]; then
    ${choose(quoted(options.map(({ name }) => `--${name}`).join(' ')))}
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

export function zsh({ commands, options, levels, follows }: Vocabulary): string {
  const escaped = (text: string): string => text.replaceAll(/[[\]:\\]/g, String.raw`\$&`)
  const behind = { file: ':file:_files', level: `:level:(${levels.join(' ')})`, word: ':value:' } as const
  const all = options.map(({ name, describe, takes }) =>
    quoted(`--${name}[${escaped(describe)}]${takes === null ? '' : behind[takes]}`),
  )
  return String.raw`#compdef popfetch
_popfetch() {
  local -a accounts commands
  local context state line
  typeset -A opt_args
  commands=(
${lines(
  commands.map(({ name, describe }) => quoted(`${name}:${escaped(describe)}`)),
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
  follows.map(
    ({ command, words, accounts }) =>
      `${command}) compadd ${words.join(' ')}${accounts ? '; compadd -a accounts' : ''} ;;`,
  ),
  '        ',
)}
        *) compadd -a accounts ;;
      esac ;;
  esac
}
if [[ ${'${funcstack[1]}'} == _popfetch ]]; then _popfetch "$@"; else compdef _popfetch popfetch; fi`
}

export function fish({ commands, options, levels, follows }: Vocabulary): string {
  const behind = { file: ' -rF', level: ` -xa ${quoted(levels.join(' '))}`, word: ' -x' } as const
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
    ({ name, describe }) => `complete -c popfetch -n __fish_use_subcommand -a ${name} -d ${quoted(describe)}`,
  ),
)}
${lines(
  follows.map(
    ({ command, words }) =>
      `complete -c popfetch -n '__fish_seen_subcommand_from ${command}' -a ${quoted(words.join(' '))}`,
  ),
)}
${lines(
  options.map(
    ({ name, describe, takes }) =>
      `complete -c popfetch -l ${name} -d ${quoted(describe)}${takes === null ? '' : behind[takes]}`,
  ),
)}`
}
