// What helps against each failure: for every code of an error and for every conclusion of a destination's answer, the command that
// goes on. Pure. Two rules. Each is a command of popfetch that names what it is about, and runs as it is printed. None
// advises what does nothing: what passes by itself is tried at once by it, or shown in full.
import { faultSource } from '../config/accounts/sound.ts'
import type { Conclusion, ErrorCode } from '../errors.ts'
import { shellQuoted } from '../program.ts'

/** More names in a command line are none: then it means all. */
const MOST_NAMED = 4

/** The command for these accounts, or these destinations. */
export type Command = (names: readonly string[]) => string

/** `message`: the text of the error, of our own words where a person's decision is wanted. */
type Help = (message: string) => Command

/** These words, the names, these options. */
export function over(words: string, options = ''): Command {
  return (names) => {
    const named = names.length > MOST_NAMED ? [] : names
    return ['popfetch', words, ...named.map(quoted), options].filter((word) => word !== '').join(' ')
  }
}

/** An inline destination has its URL as its name. */
function quoted(name: string): string {
  return /^[\w@%+=:,./-]+$/.test(name) ? name : shellQuoted(name)
}

/** Tries the account, says what was learnt of the server, what is likely, and what to do. */
const check = over('check', '--verbose')
const poll = over('')
/** Says what is wrong with accounts, and asks the program of `accountsFrom`. */
export const CONFIG_CHECK: Command = () => 'popfetch config check'
/** What a poll would do, message by message. */
const plan = over('', '--dry-run')
const signIn = over('auth')
/** Each message of one account that waits, with its reason. */
const lists: Command = ([name = '']) => nextOfMessages.waiting(name)

const always =
  (command: Command): Help =>
  () =>
    command

/** The command that the text names. Where it names several, a person decides, and first sees what is at stake. */
const asked: Help = (message) => (names) => {
  const [only, ...others] = commandsIn(message)
  return names.length === 1 && only !== undefined && others.length === 0 ? only : plan(names)
}

/** In a text of ours: each up to where a sentence goes on. */
function commandsIn(message: string): readonly string[] {
  return (message.match(/\bpopfetch (?:[\w.@+=-]+ ?)+/g) ?? []).map(withoutEnd)
}

/** Without the full stop and spaces behind it. No expression: it would take the square of what it is given. */
function withoutEnd(text: string): string {
  let end = text.length
  while (text[end - 1] === '.' || text[end - 1] === ' ') end--
  return text.slice(0, end)
}

export const NEXT_OF_ERROR: Readonly<Record<ErrorCode, Help>> = {
  ERR_USAGE: always(() => 'popfetch help'),
  // One that is wrong by itself is tried by nothing; that check says where.
  ERR_CONFIG: (message) => (faultSource({ code: 'ERR_CONFIG', message }) === null ? check : CONFIG_CHECK),
  ERR_SECRET: always(check),
  ERR_CONNECT: always(check),
  ERR_TLS: always(check),
  ERR_AUTH: (message) => (isSignedOut({ code: 'ERR_AUTH', message }) ? signIn : check),
  ERR_MECHANISM: always(check),
  ERR_PROVIDER: always(check),
  ERR_POP3_REPLY: always(check),
  ERR_POP3_PROTOCOL: always(check),
  ERR_TIMEOUT: always(check),
  // Where the destination is gone from the configuration, `check` would only try the others.
  ERR_DELIVERY: (message) => (/no longer configured|was cut off on the machine/.test(message) ? lists : check),
  ERR_LEDGER: always(() => 'popfetch state check'),
  ERR_NO_UIDL: always(check),
  ERR_ACCOUNT_RENAMED: asked,
  ERR_UIDS_CHANGED: asked,
  ERR_DELETE_GUARD: always(plan),
  ERR_FIRST_POLL: always(plan),
  ERR_NO_SPACE: always(plan),
  ERR_BUSY: always(poll),
  ERR_PAUSED: always(over('resume')),
  ERR_ACCOUNTS: always(CONFIG_CHECK),
  ERR_LEASE_LOST: always(poll),
  ERR_NO_DAEMON: always(() => 'popfetch --daemon'),
  ERR_ABORTED: always(poll),
  ERR_BUG: always(over('', '--log-level debug')),
}

/** The accounts are those whose mail it keeps back; where none is known the destination itself is looked at. */
interface AtDestination {
  readonly destination: string
  readonly accounts: readonly string[]
}

const look = ({ destination }: AtDestination): string => check([destination])
const again = ({ destination, accounts }: AtDestination): string =>
  accounts.length === 0 ? check([destination]) : poll(accounts)

/** Of a destination that is left alone. `poll` by name tries it at once, and says what it answers now. */
export const NEXT_OF_REST: Readonly<Record<Conclusion, (at: AtDestination) => string>> = {
  DOWN: look,
  TLS: look,
  SIGN: look,
  ACT: look,
  BUSY: again,
  RCPT: again,
  ROOM: again,
  SENDER: again,
  TEMP: again,
  BAD: again,
  FORM: again,
  CUT: again,
  LOST: again,
  HELD: again,
}

/** Is it a sign-in at a provider that has ended, or never was? */
export function isSignedOut({ code, message }: { readonly code: string; readonly message: string }): boolean {
  return code === 'ERR_AUTH' && /\bpopfetch auth\b/.test(message)
}

/** What helps against this error of these accounts. An error that this version does not know is looked into. */
export function nextOfError({ code, message }: { readonly code: string; readonly message: string }): Command {
  const help = isCode(code) ? NEXT_OF_ERROR[code] : always(check)
  return help(message)
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(NEXT_OF_ERROR, code)
}

/** What helps where the ledger itself cannot be read; null: the text says what to do, and no command would do more. */
export function nextOfLedger({ code, message }: { readonly code: string; readonly message: string }): string | null {
  return code === 'ERR_LEDGER' && message.includes('popfetch state repair') ? 'popfetch state check' : null
}

/** What helps where this destination is left alone. */
export function nextOfRest(conclusion: string, at: AtDestination, untilSignIn: boolean): string {
  if (untilSignIn) return signIn([at.destination])
  return (isConclusion(conclusion) ? NEXT_OF_REST[conclusion] : look)(at)
}

function isConclusion(conclusion: string): conclusion is Conclusion {
  return Object.hasOwn(NEXT_OF_REST, conclusion)
}

/** Gives up what was cut off on machines that do not come back. */
export const retryHere = (account: string): string => over('state retry --here')([account])

export const nextOfMessages = {
  refused: (account: string): string => `popfetch state list ${account} --refused`,
  held: (account: string): string => `popfetch state list ${account} --held`,
  waiting: (account: string): string => `popfetch state list ${account}`,
  undeleted: (account: string): string => `popfetch ${account}`,
} as const
