// What `popfetch auth` may be told.
import { formatDuration, parseDuration } from '../../../config/values/quantity.ts'
import type { Command } from '../../command.ts'
import type { CommonOptions } from '../../common-options.ts'
import { usageError } from '../../command-errors.ts'
import { flag, text } from '../../option.ts'

const WAYS = {
  device: flag('Sign in with a device code: open an address on any device and type a code'),
  browser: flag('Sign in with a browser on this machine, or paste the address it was redirected to'),
  'no-open': flag('Do not open a browser; only print the address'),
  timeout: text('How long to wait for the sign-in (default: 10m)', 'DURATION'),
} as const

const OTHERS = {
  list: flag('Show who is signed in, since when, until when'),
  'sign-out': text('End the sign-in of this account or destination, and forget it', 'NAME'),
  token: text('Print an access token of this account or destination, for another program', 'NAME'),
} as const

interface SignInRequest {
  readonly does: 'sign-in'
  /** Accounts and destinations, without duplicates; empty: all that need it. */
  readonly names: readonly string[]
  /** Null: as configured. */
  readonly flow: 'device' | 'browser' | null
  readonly opens: boolean
  readonly timeoutMs: number
}

export type AuthRequest =
  | SignInRequest
  | { readonly does: 'list' }
  | { readonly does: 'sign-out'; readonly name: string }
  | { readonly does: 'token'; readonly name: string }

export type AuthInvocation = CommonOptions & AuthRequest

/** As USUAL_SIGN_IN_MS of open/provider-sign-in.ts, which help does not load. */
const USUAL_MS = 600_000
const LONGEST_MS = 86_400_000

export const command: Command<AuthRequest> = {
  usage: '[name...]',
  describe: 'Sign in to Google, Microsoft and others (OAuth 2.0)',
  options: [
    { heading: 'Options for auth:', options: WAYS },
    { heading: 'Instead:', options: OTHERS },
  ],
  examples: [
    ['popfetch auth', 'Sign in for everything that needs it'],
    ['popfetch auth gmail --browser', 'Sign in for one account, in a browser'],
    ['popfetch auth --list', 'Show who is signed in'],
  ],
  exits: [0, 64, 74, 75, 76, 77, 78],
  notes: `NAME is an account or destination with token: { oauth: CLIENT }. One sign-in
serves all accounts and destinations with the same client and user. Instructions
are printed on standard error, so it also works over ssh and in a container.`,
  completes: { words: [], accounts: true },
  request(given) {
    const { words } = given
    const { list, 'sign-out': signOut, token } = given.options(OTHERS)
    const ways = given.options(WAYS)
    const instead = [list, signOut !== null, token !== null].filter(Boolean).length
    if (instead > 1) throw usageError('use only one of --list, --sign-out and --token')
    if (instead === 1) {
      if (words.length > 0) throw usageError(`--list, --sign-out and --token take no further names: ${words[0]}`)
      if (ways.device || ways.browser || ways['no-open'] || ways.timeout !== null) {
        throw usageError('--device, --browser, --no-open and --timeout are for signing in')
      }
      if (signOut !== null) return { does: 'sign-out', name: signOut }
      return token === null ? { does: 'list' } : { does: 'token', name: token }
    }
    if (ways.device && ways.browser) throw usageError('--device and --browser cannot be combined')
    return {
      does: 'sign-in',
      names: [...new Set(words)],
      flow: ways.device ? 'device' : ways.browser ? 'browser' : null,
      opens: !ways['no-open'],
      timeoutMs: timeoutOf(ways.timeout),
    }
  },
}

function timeoutOf(written: string | null): number {
  if (written === null) return USUAL_MS
  const ms = parseDuration(written)
  if (ms !== null && ms >= 1000 && ms <= LONGEST_MS) return ms
  throw usageError(`--timeout must be a duration up to ${formatDuration(LONGEST_MS)} such as 90s or 10m`)
}
