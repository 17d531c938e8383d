// From the command line by which an old tool handed mail to a delivery agent to a destination that runs it. The old tool ran it
// with all of its own environment, in its own folder. popfetch runs it with few variables, in a folder that is said.
// What the line takes from that world is given to it, or named: no argument becomes empty in silence (M003, M004, M007).
// One rule: nothing of a message becomes part of a command; the sender stays in $SENDER, where it does no harm. Pure.
import type { Written } from '../config/values/written.ts'
import { display } from '../display.ts'
import { shellQuoted } from '../program.ts'

export interface MovedCommand {
  readonly destination: Written
  readonly remarks: readonly string[]
}

/** The variables that the old tool most likely had: those of whoever imports. */
export type OldEnvironment = Readonly<Record<string, string | undefined>>

/** Only characters that a shell gives no meaning of its own. */
const PLAIN = /^[\w@%+=:,./ \t-]+$/

/** Words that are no program, or that stand in front of one. */
const OF_A_SHELL =
  /^(?:\w+=.*|\.|:|alias|bg|break|case|cd|command|continue|do|done|elif|else|esac|eval|exec|exit|export|fi|for|getopts|hash|if|jobs|local|read|readonly|return|set|shift|then|times|trap|type|ulimit|umask|unset|until|wait|while)$/

/** What popfetch gives to every program, and what a shell has by itself. */
const GIVEN = new Set(
  'HOME USER LOGNAME PATH LANG SENDER RECIPIENT POPFETCH_ACCOUNT POPFETCH_UIDL PWD OLDPWD IFS PPID OPTIND PS1 PS2 PS4'.split(
    ' ',
  ),
)

/** What a program reads though its line does not say so. */
const READ_BY: Readonly<Record<string, readonly string[]>> = {
  notmuch: ['NOTMUCH_CONFIG', 'NOTMUCH_PROFILE', 'NOTMUCH_DATABASE'],
  maildrop: ['MAILDIR', 'MAILFILTER'],
  sieve: ['SIEVE'],
  bogofilter: ['BOGOFILTER_DIR'],
  afew: ['NOTMUCH_CONFIG', 'XDG_CONFIG_HOME'],
}

const LOOKS_SECRET = /pass|pw|token|secret|key|credential/i

/** Where the old tools were usually started: by cron, or in a shell after signing in. */
const FOLDER = '~'

/** A line that the old tool gave to a shell. `recipient`: what `%T` stands for; null: the old tool knew no `%T`. */
export function shellLine(line: string, recipient: string | null, env: OldEnvironment): MovedCommand {
  const trimmed = line.trim()
  // It would end well, and take every message for delivered.
  if (/^(?:#|$)/.test(trimmed))
    return { destination: destinationOf([''], {}), remarks: ['there is no command: write run'] }
  const addressed =
    recipient === null
      ? trimmed
      : trimmed.replace(
          /'%T'|"%T"|%T/g,
          PLAIN.test(recipient) && !recipient.includes(' ') ? recipient : shellQuoted(recipient),
        )
  const withSender = addressed.replace(/'%F'|"%F"|%F/g, '"$SENDER"')
  const words = withSender.split(/\s+/)
  const remarks: string[] = []
  const variables = given(namesIn(withSender), words, env, remarks)
  const isPlain = PLAIN.test(withSender) && !OF_A_SHELL.test(words[0] ?? '')
  // -u: a variable that nobody gives is an error, and no empty word.
  const run = isPlain ? words : ['/bin/sh', '-u', '-c', withSender]
  return { destination: destinationOf(run, variables), remarks }
}

/** A program and its arguments, which no shell read. */
export function programLine(run: readonly string[], env: OldEnvironment): MovedCommand {
  const remarks: string[] = []
  return { destination: destinationOf(run, given([], run.join(' ').split(/[\s'"]+/), env, remarks)), remarks }
}

/** A line that the old tool gave to a shell, as words for a program that is given nothing more. It has no input, and its folder is
 *  the home directory. */
export function shellWords(
  line: string,
  env: OldEnvironment,
): { readonly run: readonly string[]; readonly remarks: readonly string[] } {
  const trimmed = line.trim()
  const words = trimmed.split(/\s+/)
  const remarks: string[] = []
  const variables = Object.entries(given(namesIn(trimmed), words, env, remarks))
  const isPlain = PLAIN.test(trimmed) && !OF_A_SHELL.test(words[0] ?? '') && words.every(isRooted)
  const run = isPlain ? words : ['/bin/sh', '-u', '-c', `cd && ${trimmed}`]
  const assigned = variables.map(([name, value]) => `${name}=${value}`)
  return { run: assigned.length === 0 ? run : ['env', ...assigned, ...run], remarks }
}

/** It means the same in every folder. */
function isRooted(word: string): boolean {
  return word.startsWith('/') || !/[/.]/.test(word)
}

function destinationOf(run: readonly string[], env: Readonly<Record<string, string>>): Written {
  return { type: 'command', run, ...(Object.keys(env).length === 0 ? {} : { env }), cwd: FOLDER }
}

/** A variable whose value a line takes; `isNeeded`: the line has no word for when it is not set. */
interface Named {
  readonly name: string
  readonly isNeeded: boolean
}

/** The values for `named` and for what the programs among `words` read by themselves. */
function given(
  named: readonly Named[],
  words: readonly string[],
  env: OldEnvironment,
  remarks: string[],
): Readonly<Record<string, string>> {
  const values: Record<string, string> = {}
  const give = (name: string): void => {
    const value = env[name]
    if (value === undefined || value.includes('\0')) {
      remarks.push(`$${name}: it has no value here, and the command would fail: write it under env`)
    } else if (LOOKS_SECRET.test(name)) {
      remarks.push(`$${name}: it may be a secret and was not copied: write it under env, or have the command read it`)
    } else values[name] = value
  }
  for (const { name, isNeeded } of named) if (isNeeded || env[name] !== undefined) give(name)
  const read = words.flatMap((word) => {
    const program = word.slice(word.lastIndexOf('/') + 1)
    return Object.hasOwn(READ_BY, program) ? (READ_BY[program] ?? []) : []
  })
  for (const name of read) if (env[name] !== undefined) give(name)
  return values
}

/** The variables whose value the line takes from outside; not those in single quotes, nor those that the line sets
 *  itself. `${X:-y}` needs no value. */
function namesIn(line: string): readonly Named[] {
  const names = new Map<string, boolean>()
  const set = new Set<string>()
  const need = (name: string, isNeeded: boolean): void => void names.set(name, isNeeded || (names.get(name) ?? false))
  const step =
    /'[^']*'|\\.|\$\{(\w+)(:?[-+=?])?|\$([A-Za-z_]\w*)|(?<![\w$])([A-Za-z_]\w*)=|\b(?:for|read)\s+([A-Za-z_]\w*)/g
  let isDoubleQuoted = false
  let from = 0
  for (const match of line.matchAll(step)) {
    const [whole, braced, otherwise, bare, assigned, taken] = match
    for (const character of line.slice(from, match.index)) if (character === '"') isDoubleQuoted = !isDoubleQuoted
    from = match.index + whole.length
    // Between double quotes a single one has no meaning: what it surrounds is looked at as well.
    if (whole.startsWith("'")) {
      if (isDoubleQuoted) for (const { name, isNeeded } of namesIn(whole.slice(1, -1))) need(name, isNeeded)
      if (isDoubleQuoted && (whole.match(/"/g)?.length ?? 0) % 2 === 1) isDoubleQuoted = false
      continue
    }
    const own = assigned ?? taken
    if (own !== undefined) set.add(own)
    const name = braced ?? bare
    if (name !== undefined && /^[A-Za-z_]/.test(name)) need(name, otherwise === undefined)
  }
  return [...names]
    .filter(([name]) => !GIVEN.has(name) && !set.has(name))
    .map(([name, isNeeded]) => ({ name, isNeeded }))
}

/** `~`, `~/x`, `$NAME` and `${NAME}` as Python expands them in a word that no shell reads. A name without a value stays as it is,
 *  and so does `~name`. Each is told. */
export function expanded(word: string, home: string | null, env: OldEnvironment, remarks: string[]): string {
  const filled = word.replace(
    /\$(?:\{(\w+)\}|(\w+))/g,
    (whole, braced: string | undefined, bare: string | undefined) => {
      const name = braced ?? bare ?? ''
      const value = name === 'HOME' ? (env['HOME'] ?? home ?? undefined) : env[name]
      if (value !== undefined && !LOOKS_SECRET.test(name) && !value.includes('\0')) return value
      remarks.push(`${display(whole, 60)}: it has no value here: write its value`)
      return whole
    },
  )
  if (/^~(?=\/|$)/.test(filled) && home !== null) return `${home}${filled.slice(1)}`
  if (filled.startsWith('~'))
    remarks.push(`${display(filled, 60)}: popfetch looks up nobody's home directory: write the whole path`)
  return filled
}
