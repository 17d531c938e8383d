// What a ledger need not keep (DESIGN 4, `state.headers`, `state.keepDeparted`), once a day, from cron and daemon alike. Accounts that
// the configuration has not named for long are forgotten, with all that was remembered of them; so are destinations, with the time for
// which they are left alone. From, Subject and Date go where
// they are not wanted. What goes wrong is logged and costs nothing else.
//
// Since when a name is missing, the ledger remembers, in a memo. Every run whose configuration has the name takes it off. An age counts only
// days on which somebody looked, at most some for each look: a clock that jumps ages nothing (S040).
import type { Configuration } from '../../config/schema.ts'
import { blankDestination } from '../../ledger/destination.ts'
import { asPopfetchError } from '../../errors.ts'
import type { AccountRecord, Ledger } from '../../ledger/ledger.ts'
import { waitForLease } from '../../ledger/lease.ts'
import type { Log } from '../../log.ts'
import { forgetMessages } from './amend.ts'
import { type Departed, hasDayPassed, isBack, MEMO, type Named, notedIn, type Noted } from './tidy-due.ts'

/** A weekly look counts in full. */
const MOST_BETWEEN_MS = 8 * 86_400_000

/** An account, or a destination, that the ledger knows and the configuration does not name. */
export interface DepartedName {
  readonly name: string
  /** The first run without it. */
  readonly sinceMs: number
  /** How long that is, as far as somebody looked. */
  readonly agedMs: number
}

export interface TidyContext {
  readonly ledger: Ledger
  readonly log: Pick<Log, 'info' | 'warn'>
  readonly nowMs: number
  readonly signal: AbortSignal
}

type Kept = Named & Pick<Configuration, 'headers' | 'keepDeparted' | 'trouble'>

/** Never rejects. True: a day has passed, and it was done. */
export async function tidyLedger(configuration: Kept, context: TidyContext): Promise<boolean> {
  const { ledger, log, nowMs, signal } = context
  // Accounts may be missing that are configured all the same.
  if (configuration.trouble !== null) return false
  try {
    const noted = notedIn(await ledger.memo(MEMO))
    await takeOff(configuration, noted, ledger)
    if (!hasDayPassed(noted, nowMs)) return false
    const { accounts, destinations } = await departedNames(configuration, context)
    const { keepDeparted } = configuration
    const records = new Map((await ledger.accounts()).map((record) => [record.name, record]))
    const isOld = ({ agedMs }: DepartedName): boolean => keepDeparted !== null && agedMs >= keepDeparted
    for (const { name: account } of accounts.filter(isOld)) {
      if (signal.aborted) break
      if (isWaitedFor(account, configuration, records)) continue
      const messages = await forgetAccount(account, ledger, signal)
      if (messages !== null) log.info('forgot an account that is no longer configured', { account, messages })
    }
    const forgotten = await forgetDestinations(destinations.filter(isOld), ledger)
    for (const destination of forgotten) log.info('forgot a destination that is no longer configured', { destination })
    if (configuration.headers !== 'all') await ledger.records.dropHeadings(configuration.headers)
    return true
  } catch (error) {
    log.warn(`the ledger could not be tidied: ${asPopfetchError(error, 'process').message}`)
    return false
  }
}

/** Several configurations may use one ledger, and one of them always be the first of a day: what any of them names has not departed. */
async function takeOff(configuration: Named, noted: Noted, ledger: Ledger): Promise<void> {
  if (!isBack(configuration, noted)) return
  const configured = namesIn(configuration)
  const without = (departed: Departed, isConfigured: { has(name: string): boolean }): Departed =>
    Object.fromEntries(Object.entries(departed).filter(([name]) => !isConfigured.has(name)))
  await ledger.changeMemo(MEMO, (text) => {
    const { lookedMs, departed, destinations } = notedIn(text)
    return JSON.stringify({
      lookedMs,
      departed: without(departed, configured),
      destinations: without(destinations, configuration.destinations),
    } satisfies Noted)
  })
}

/** What the ledger knows and the configuration does not name, since when. Remembers it. Rejects with ERR_LEDGER. */
export async function departedNames(
  configuration: Named,
  { ledger, nowMs }: Pick<TidyContext, 'ledger' | 'nowMs'>,
): Promise<{ readonly accounts: readonly DepartedName[]; readonly destinations: readonly DepartedName[] }> {
  const configured = namesIn(configuration)
  const accounts = (await ledger.accounts()).map(({ name }) => name).filter((name) => !configured.has(name))
  const recorded = (await ledger.destinations()).flatMap(({ names }) => names)
  const paused = (await ledger.pauses.all('destination')).map(({ name }) => name)
  const destinations = [...new Set([...recorded, ...paused])].filter((name) => !configuration.destinations.has(name))
  const text = await ledger.changeMemo(MEMO, (before) => {
    const noted = notedIn(before)
    const since = Math.min(Math.max(0, nowMs - noted.lookedMs), MOST_BETWEEN_MS)
    const aged = (names: readonly string[], departed: Departed): Departed =>
      Object.fromEntries(
        names.map((name) => {
          const known = departed[name]
          return [
            name,
            known === undefined ? { sinceMs: nowMs, agedMs: 0 } : { ...known, agedMs: known.agedMs + since },
          ]
        }),
      )
    return JSON.stringify({
      lookedMs: nowMs,
      departed: aged(accounts, noted.departed),
      destinations: aged(destinations, noted.destinations),
    } satisfies Noted)
  })
  const noted = notedIn(text)
  const listed = (departed: Departed): readonly DepartedName[] =>
    Object.entries(departed).map(([name, known]) => ({ name, ...known }))
  return { accounts: listed(noted.departed), destinations: listed(noted.destinations) }
}

/** That they are left alone, what was counted and told of them, and their pauses. A place that has another name as well stays. Gives the
 *  names that are gone. Rejects with ERR_LEDGER. */
export async function forgetDestinations(
  departed: readonly Pick<DepartedName, 'name'>[],
  ledger: Ledger,
): Promise<readonly string[]> {
  const names = new Set(departed.map(({ name }) => name))
  if (names.size === 0) return []
  const isGone = (called: readonly string[]): boolean => called.length > 0 && called.every((name) => names.has(name))
  const gone = new Set<string>()
  for (const { key, recipient, names: called } of await ledger.destinations()) {
    if (!isGone(called)) continue
    // A poll of another configuration may have called it otherwise meanwhile.
    await ledger.changeDestination(key, recipient, (record) =>
      isGone(record.names) ? blankDestination(key, recipient) : record,
    )
    for (const name of called) gone.add(name)
  }
  const pauses = await ledger.pauses.end([...names].map((name) => ({ kind: 'destination', name })))
  return [...new Set([...gone, ...pauses.map(({ name }) => name)])]
}

/** Its messages, what was remembered of its polls and told of it, its pause. Gives how many messages it had; null: it is at work.
 *  Rejects with ERR_LEDGER, and with the signal's reason. */
export async function forgetAccount(account: string, ledger: Ledger, signal: AbortSignal): Promise<number | null> {
  await using lease = await waitForLease(ledger, account, { tries: 8, everyMs: 250, signal })
  if (lease === null) return null
  const messages = await forgetMessages(ledger, lease, 'all')
  await ledger.records.remove(lease)
  await ledger.pauses.end([{ kind: 'account', name: account }])
  return messages
}

/** Names that the configuration has, polled or not. */
function namesIn({ accounts, disabled }: Pick<Named, 'accounts' | 'disabled'>): ReadonlySet<string> {
  return new Set([...accounts, ...disabled].map(({ name }) => name))
}

/** Its mailbox is that of a configured account without history: this was renamed, and a person is asked about it
 *  (ERR_ACCOUNT_RENAMED), or that account says so (`formerly`). Forgotten, it would let everything come twice. */
export function isWaitedFor(
  departed: string,
  { accounts, disabled }: Pick<Named, 'accounts' | 'disabled'>,
  records: ReadonlyMap<string, AccountRecord>,
): boolean {
  const identity = records.get(departed)?.identity
  return [...accounts, ...disabled].some(({ name, host, port, user, formerly }) => {
    const isSame = host === identity?.host && port === identity.port && user === identity.user
    return (isSame || formerly.includes(departed)) && (records.get(name)?.known ?? 0) === 0
  })
}
