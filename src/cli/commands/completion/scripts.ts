// Completion for bash, zsh and fish as text. Pure; the words come from action.ts. A script passes `--config` on when it
// asks for the names of accounts, so that they are those of the file that is meant.

import { shellQuoted } from '../../../program.ts'

export interface Completions {
  readonly commands: readonly { readonly name: string; readonly describe: string }[]
  /** Of every command; and all there are, by which a value is told from a word. */
  readonly common: readonly CompletedOption[]
  readonly all: readonly CompletedOption[]
  /** Where no command is named. */
  readonly poll: readonly CompletedOption[]
  readonly follows: readonly Follow[]
}

/** What follows a command. */
interface Follow {
  readonly command: string
  /** One of these first. */
  readonly words: readonly string[]
  /** Accounts may be named, behind the words. */
  readonly accounts: boolean
  /** Destinations, together with accounts or behind the first of them; null: none. */
  readonly destinations: 'too' | 'behind' | null
  readonly options: readonly CompletedOption[]
}

export interface CompletedOption {
  readonly name: string
  readonly describe: string
  /** Its argument: a file, one of these words, any word; null: none. */
  readonly takes: 'file' | 'word' | readonly string[] | null
}

function lines(all: readonly string[], indent = ''): string {
  return all.map((line) => indent + line).join('\n')
}

export function bash({ commands, common, all, poll, follows }: Completions): string {
  const names = (takes: (taken: CompletedOption['takes']) => boolean): string[] =>
    all.flatMap((option) => (takes(option.takes) ? [`--${option.name}`] : []))
  const withFile = names((taken) => taken === 'file').join('|')
  const withWord = names((taken) => taken === 'word').join('|')
  const withValue = names((taken) => taken !== null)
    .filter((name) => name !== '--config')
    .join('|')
  const choose = (words: string): string => `mapfile -t COMPREPLY < <(compgen -W ${words} -- "$current")`
  const optionsOf = (options: readonly CompletedOption[]): string =>
    shellQuoted([...options, ...common].map(({ name }) => `--${name}`).join(' '))
  const ask = (kind: string): string => `"$(popfetch completion ${kind} "\${config[@]}" 2>/dev/null)"`
  const namesOf = ({ accounts, destinations }: Follow): string => {
    if (destinations === 'too') return choose(`${ask('accounts')}" "${ask('destinations')}`)
    return accounts ? choose(ask('accounts')) : ':'
  }
  const own = follows.flatMap((follow) => {
    const { command, words, destinations } = follow
    if (words.length > 0)
      return [`${command}:0) ${choose(shellQuoted(words.join(' ')))} ;;`, `${command}:*) ${namesOf(follow)} ;;`]
    if (destinations !== 'behind') return [`${command}:*) ${namesOf(follow)} ;;`]
    return [`${command}:0) ${namesOf(follow)} ;;`, `${command}:*) ${choose(ask('destinations'))} ;;`]
  })
  const chosen = all.flatMap(({ name, takes }) =>
    Array.isArray(takes) ? [`--${name}) ${choose(shellQuoted(takes.join(' ')))}; return ;;`] : [],
  )
  return String.raw`_popfetch() {
  local current=${'${COMP_WORDS[COMP_CWORD]}'} before=${'${COMP_WORDS[COMP_CWORD-1]}'} command='' i count=0
  local -a config=()
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${'${COMP_WORDS[i]}'} in
      --config) config=(--config "${'${COMP_WORDS[i+1]}'}"); ((i++)) ;;
      ${withValue}) ((i++)) ;;
      -*) ;;
      *) if [[ -n $command ]]; then ((count++)); else command=${'${COMP_WORDS[i]}'}; fi ;;
    esac
  done
  case $before in
    ${withFile}) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
${lines(chosen, '    ')}
    ${withWord}) return ;;
  esac
  if [[ $current == -* ]]; then
    case $command in
${lines(
  follows.map(({ command, options }) => `${command}) ${choose(optionsOf(options))} ;;`),
  '      ',
)}
      *) ${choose(optionsOf(poll))} ;;
    esac
    return
  fi
  case $command:$count in
    :*) ${choose(`'${commands.map(({ name }) => name).join(' ')}'" "${ask('accounts')}`)} ;;
${lines(own, '    ')}
    *) ${choose(ask('accounts'))} ;;
  esac
}
complete -F _popfetch popfetch`
}

export function zsh({ commands, common, all, poll, follows }: Completions): string {
  const escaped = (text: string): string => text.replaceAll(/[[\]:\\]/g, String.raw`\$&`)
  const behind = (takes: CompletedOption['takes']): string => {
    if (takes === null) return ''
    return takes === 'file' ? ':file:_files' : takes === 'word' ? ':value:' : `:value:(${takes.join(' ')})`
  }
  const optionsOf = (options: readonly CompletedOption[]): string =>
    [...options, ...common]
      .map(({ name, describe, takes }) => shellQuoted(`--${name}[${escaped(describe)}]${behind(takes)}`))
      .join(' ')
  const withValue = all.flatMap(({ name, takes }) => (takes === null ? [] : [`--${name}`])).join('|')
  const names = ({ accounts, destinations }: Follow): string => {
    const added = [...(accounts ? ['-a accounts'] : []), ...(destinations === 'too' ? ['-a destinations'] : [])]
    return added.length === 0 ? ':' : added.map((each) => `compadd ${each}`).join('; ')
  }
  const own = follows.flatMap((follow) => {
    const { command, words, destinations } = follow
    if (words.length > 0) return [`${command}:0) compadd ${words.join(' ')} ;;`, `${command}:*) ${names(follow)} ;;`]
    if (destinations !== 'behind') return [`${command}:*) ${names(follow)} ;;`]
    return [`${command}:0) ${names(follow)} ;;`, `${command}:*) compadd -a destinations ;;`]
  })
  return String.raw`#compdef popfetch
_popfetch() {
  local -a accounts destinations commands options config
  local context state line command='' i count=0
  typeset -A opt_args
  for ((i = 2; i < CURRENT; i++)); do
    case $words[i] in
      --config) config=(--config $words[i+1]); ((i++)) ;;
      ${withValue}) ((i++)) ;;
      -*) ;;
      *) if [[ -n $command ]]; then ((count++)); else command=$words[i]; fi ;;
    esac
  done
  commands=(
${lines(
  commands.map(({ name, describe }) => shellQuoted(`${name}:${escaped(describe)}`)),
  '    ',
)}
  )
  case $command in
${lines(
  follows.map(({ command, options }) => `${command}) options=(${optionsOf(options)}) ;;`),
  '    ',
)}
    *) options=(${optionsOf(poll)}) ;;
  esac
  _arguments -S $options '*: :->words'
  [[ $state == words ]] || return
  accounts=(${'${(f)"$(popfetch completion accounts $config 2>/dev/null)"}'})
  destinations=(${'${(f)"$(popfetch completion destinations $config 2>/dev/null)"}'})
  case $command:$count in
    :*) _describe command commands; compadd -a accounts ;;
${lines(own, '    ')}
    *) compadd -a accounts ;;
  esac
}
if [[ ${'${funcstack[1]}'} == _popfetch ]]; then _popfetch "$@"; else compdef _popfetch popfetch; fi`
}

export function fish({ commands, common, poll, follows }: Completions): string {
  const behind = (takes: CompletedOption['takes']): string => {
    if (takes === null) return ''
    return takes === 'file' ? ' -rF' : takes === 'word' ? ' -x' : ` -xa ${shellQuoted(takes.join(' '))}`
  }
  const option = (where: string) => (each: CompletedOption) =>
    `complete -c popfetch${where} -l ${each.name} -d ${shellQuoted(each.describe)}${behind(each.takes)}`
  const seen = (command: string): string => ` -n '__fish_seen_subcommand_from ${command}'`
  const all = follows.map(({ command }) => command).join(' ')
  const noAccounts = follows.filter(({ accounts, words }) => !accounts || words.length > 0)
  return String.raw`function __popfetch_names
    set -l config
    set -l words (commandline -opc)
    for i in (seq (count $words))
        if test "$words[$i]" = --config; and test $i -lt (count $words)
            set config --config $words[(math $i + 1)]
        end
    end
    popfetch completion $argv[1] $config 2>/dev/null
end
function __popfetch_words
    set -l count 0
    for word in (commandline -opc)[2..]
        string match -q -- '-*' $word; or set count (math $count + 1)
    end
    test $count -eq $argv[1]
end
complete -c popfetch -f
complete -c popfetch -n 'not __fish_seen_subcommand_from ${noAccounts.map(({ command }) => command).join(' ')}; and not __popfetch_migrated' -a '(__popfetch_names accounts)'
function __popfetch_migrated
    __fish_seen_subcommand_from ${follows.flatMap(({ command, destinations }) => (destinations === 'behind' ? [command] : [])).join(' ') || 'none'}; and not __popfetch_words 1
end
${lines(
  commands.map(
    ({ name, describe }) => `complete -c popfetch -n __fish_use_subcommand -a ${name} -d ${shellQuoted(describe)}`,
  ),
)}
${lines(
  follows.flatMap(({ command, words, accounts, destinations }) => [
    ...(words.length === 0
      ? []
      : [
          `complete -c popfetch -n '__fish_seen_subcommand_from ${command}; and __popfetch_words 1' -a ${shellQuoted(words.join(' '))}`,
        ]),
    ...(words.length > 0 && accounts
      ? [
          `complete -c popfetch -n '__fish_seen_subcommand_from ${command}; and not __popfetch_words 1' -a '(__popfetch_names accounts)'`,
        ]
      : []),
    ...(destinations === null
      ? []
      : [
          `complete -c popfetch -n '__fish_seen_subcommand_from ${command}${destinations === 'too' ? '' : '; and not __popfetch_words 1'}' -a '(__popfetch_names destinations)'`,
        ]),
  ]),
)}
${lines(common.map(option('')))}
${lines(poll.map(option(` -n 'not __fish_seen_subcommand_from ${all}'`)))}
${lines(follows.flatMap(({ command, options }) => options.map(option(seen(command)))))}`
}
