// How wrong usage is told: one line, and where to read more.
import { nearest } from '../config/values/nearest.ts'
import { PopfetchError } from '../errors.ts'

/** ERR_USAGE, exit 64. */
export function usageError(what: string): PopfetchError {
  const first = what.trim().split('\n', 1)[0] ?? ''
  const sentence = first.charAt(0).toLowerCase() + first.slice(1)
  return new PopfetchError('ERR_USAGE', `${sentence}: see popfetch --help`, { scope: 'process', retry: 'never' })
}

/** A name that is none of `names`. `what`: which names these are, "the accounts are". */
export function unknownAccount(name: string, names: readonly string[], what = 'the accounts are'): PopfetchError {
  const hint = nearest(name, names)
  const guess = hint === null ? '' : ` (did you mean "${hint}"?)`
  const known = names.length === 0 ? 'there is none' : `${what} ${listed(names)}`
  return usageError(`no account or command is called "${name}"${guess}; ${known}`)
}

function listed(names: readonly string[]): string {
  const shown = 20
  return names.length <= shown
    ? names.join(', ')
    : `${names.slice(0, shown).join(', ')} and ${names.length - shown} more`
}
