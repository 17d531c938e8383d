// The errors that commands themselves throw, a function for each kind. exit.ts has the exit code of each.
import { nearest } from '../config/values/nearest.ts'
import { PopfetchError } from '../errors.ts'

/** A command line that says something wrong (ERR_USAGE). It is one line, and names the place to read more. */
export function usageError(what: string): PopfetchError {
  const first = what.trim().split('\n', 1)[0] ?? ''
  const sentence = first.charAt(0).toLowerCase() + first.slice(1)
  return refusal(`${sentence}: see popfetch --help`)
}

/** A name that is none of `names`. `what` introduces the names: "the accounts are". `commands`: those that could have been
 *  meant as well. */
export function unknownAccount(
  name: string,
  names: readonly string[],
  {
    what = 'the accounts are',
    kind = 'account',
    commands = [],
  }: { readonly what?: string; readonly kind?: string; readonly commands?: readonly string[] } = {},
): PopfetchError {
  const hint = nearest(name, [...names, ...commands])
  const guess = hint === null ? '' : ` (did you mean "${hint}"?)`
  const known = names.length === 0 ? 'there are no accounts' : `${what} ${listed(names)}`
  return usageError(`no ${kind} ${commands.length === 0 ? '' : 'or command '}is called "${name}"${guess}; ${known}`)
}

/** A name whose account is not to be polled. */
export function disabledAccount(name: string): PopfetchError {
  return refusal(`the account ${name} is disabled: take "enabled: false" out of the configuration to poll it`)
}

function listed(names: readonly string[]): string {
  const shown = 20
  return names.length <= shown
    ? names.join(', ')
    : `${names.slice(0, shown).join(', ')} and ${names.length - shown} more`
}

/** A command line that is well formed, and wrong as the ledger stands (ERR_USAGE). Nothing was changed. */
export function refusal(message: string): PopfetchError {
  return new PopfetchError('ERR_USAGE', message, { scope: 'process', retry: 'never' })
}

/** A configuration file that cannot be found, read or written as it must be (ERR_CONFIG). */
export function configurationError(message: string, cause?: unknown): PopfetchError {
  return new PopfetchError('ERR_CONFIG', message, { scope: 'process', retry: 'never', cause })
}

/** Another popfetch has the lease of the account (ERR_BUSY). `doing`: what was tried. */
export function accountBusy(doing: string): PopfetchError {
  const message = `${doing}: another popfetch is polling it: try again when it is done`
  return new PopfetchError('ERR_BUSY', message, { scope: 'process', retry: 'soon' })
}

/** The person at the terminal left by Ctrl-C or Ctrl-D (ERR_ABORTED): the program ends as by SIGINT. */
export class LeftByPerson extends PopfetchError {
  override readonly name: string = 'LeftByPerson'

  constructor(message: string) {
    super('ERR_ABORTED', message, { scope: 'process', retry: 'never' })
  }
}

/** The person at the terminal broke off (ERR_ABORTED). */
export function abortedByPerson(message: string): PopfetchError {
  return new PopfetchError('ERR_ABORTED', message, { scope: 'process', retry: 'never' })
}
