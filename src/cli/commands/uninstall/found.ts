// What `uninstall` finds, and the words of a command that removes it. Pure.
// The one rule: a command names exactly what was found. What cannot be written so that every shell reads it back has none.
import { redact } from '../../../redact.ts'
import { shellQuoted } from '../../../program.ts'

export type Kind =
  | 'daemon'
  | 'unit'
  | 'cron'
  | 'sign-in'
  | 'keyring'
  | 'ledger'
  | 'log'
  | 'cache'
  | 'secret'
  | 'configuration'
  | 'completion'
  | 'program'

export interface Found {
  readonly kind: Kind
  /** A path, or a name. */
  readonly what: string
  /** For a shell; null: `note` says what to do instead. */
  readonly command: string | null
  readonly note: string | null
}

/** Not to be removed: mail, or what is not ours. */
export interface Kept {
  readonly path: string
  readonly why: string
}

export interface Findings {
  readonly found: readonly Found[]
  readonly kept: readonly Kept[]
}

export const NOTHING: Findings = { found: [], kept: [] }

export function joined(parts: readonly Findings[]): Findings {
  return { found: parts.flatMap(({ found }) => found), kept: parts.flatMap(({ kept }) => kept) }
}

/** Words for a shell. `note` is told as well; where the words hold a secret they would be masked, and nothing is left but a note. */
export function removal(kind: Kind, what: string, words: readonly string[], note: string | null = null): Found {
  return withCommand(kind, what, words.map(shellWord).join(' '), note)
}

/** The same for a command that is more than words. */
export function withCommand(kind: Kind, what: string, command: string, note: string | null = null): Found {
  if (redact(command) === command) return { kind, what, command, note }
  return { kind, what, command: null, note: 'its name holds a secret, so no command is printed: remove it by hand' }
}

export function removedFile(kind: Kind, path: string, note: string | null = null): Found {
  return removal(kind, path, ['rm', '--', path], note)
}

/** What a terminal would not show as it is; a line feed in quotes is shown, and read back. */
const UNSHOWN = /[^\P{C}\n]|[\p{Zl}\p{Zp}]/u

/** A word as a shell of POSIX reads it again, in characters that every terminal shows. */
export function shellWord(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word
  if (!UNSHOWN.test(word)) return shellQuoted(word)
  const octal = [...Buffer.from(word)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')
  // $() takes line feeds off the end.
  return word.endsWith('\n') ? `$'${octal}'` : `"$(printf '${octal}')"`
}
