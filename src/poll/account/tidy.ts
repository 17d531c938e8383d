// What a ledger need not keep (DESIGN 4, `state.headers`, `state.keepDeparted`), once a day, from cron and daemon alike. Accounts that
// the configuration has not named for long are forgotten, with all that was remembered of them. From, Subject and Date go where
// they are not wanted. What goes wrong is logged and costs nothing else.
//
// Since when a name is missing, the ledger remembers, in a memo. Every run whose configuration has the name takes it off. An age counts only
// days on which somebody looked, at most some for each look: a clock that jumps ages nothing (S040).
import type { Configuration } from '../../config/schema.ts'
import { asPopfetchError } from '../../errors.ts'
import type { AccountRecord, Ledger } from '../../ledger/ledger.ts'
import { waitForLease } from '../../ledger/lease.ts'
import type { Log } from '../../log.ts'
import { forgetMessages } from './amend.ts'
import { hasDayPassed, MEMO, notedIn, type Noted } from './tidy-due.ts'

/** A weekly look counts in full. */
const MOST_BETWEEN_MS = 8 * 86_400_000

/** An account that the ledger knows and the configuration does not name. */
export interface DepartedAccount {
  readonly account: string
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

type Named = Pick<Configuration, 'accounts' | 'disabled'>
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
    const departed = await departedAccounts(configuration, context)
    const { keepDeparted } = configuration
    const records = new Map((await ledger.accounts()).map((record) => [record.name, record]))
    for (const { account, agedMs } of departed) {
      if (keepDeparted === null || agedMs < keepDeparted || signal.aborted) continue
      if (isWaitedFor(account, configuration, records)) continue
      const messages = await forgetAccount(account, ledger, signal)
      if (messages !== null) log.info('forgot an account that is no longer configured', { account, messages })
    }
    if (configuration.headers !== 'all') await ledger.records.dropHeadings(configuration.headers)
    return true
  } catch (error) {
    log.warn(`the ledger could not be tidied: ${asPopfetchError(error, 'process').message}`)
    return false
  }
}

/** Several configurations may use one ledger, and one of them always be the first of a day: what any of them names has not departed. */
async function takeOff(configuration: Named, noted: Noted, ledger: Ledger): Promise<void> {
  const configured = namesIn(configuration)
  if (Object.keys(noted.departed).every((name) => !configured.has(name))) return
  await ledger.changeMemo(MEMO, (text) => {
    const { lookedMs, departed } = notedIn(text)
    const left = Object.entries(departed).filter(([name]) => !configured.has(name))
    return JSON.stringify({ lookedMs, departed: Object.fromEntries(left) } satisfies Noted)
  })
}

/** The accounts that the ledger knows and the configuration does not name, since when. Remembers it. Rejects with ERR_LEDGER. */
export async function departedAccounts(
  configuration: Named,
  { ledger, nowMs }: Pick<TidyContext, 'ledger' | 'nowMs'>,
): Promise<readonly DepartedAccount[]> {
  const configured = namesIn(configuration)
  const names = (await ledger.accounts()).map(({ name }) => name).filter((name) => !configured.has(name))
  const text = await ledger.changeMemo(MEMO, (before) => {
    const noted = notedIn(before)
    const since = Math.min(Math.max(0, nowMs - noted.lookedMs), MOST_BETWEEN_MS)
    const departed = Object.fromEntries(
      names.map((name) => {
        const known = noted.departed[name]
        return [name, known === undefined ? { sinceMs: nowMs, agedMs: 0 } : { ...known, agedMs: known.agedMs + since }]
      }),
    )
    return JSON.stringify({ lookedMs: nowMs, departed } satisfies Noted)
  })
  return Object.entries(notedIn(text).departed).map(([account, known]) => ({ account, ...known }))
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
function namesIn({ accounts, disabled }: Named): ReadonlySet<string> {
  return new Set([...accounts, ...disabled].map(({ name }) => name))
}

/** Its mailbox is that of a configured account without history: this was renamed, and a person is asked about it
 *  (ERR_ACCOUNT_RENAMED), or that account says so (`formerly`). Forgotten, it would let everything come twice. */
export function isWaitedFor(
  departed: string,
  { accounts, disabled }: Named,
  records: ReadonlyMap<string, AccountRecord>,
): boolean {
  const identity = records.get(departed)?.identity
  return [...accounts, ...disabled].some(({ name, host, port, user, formerly }) => {
    const isSame = host === identity?.host && port === identity.port && user === identity.user
    return (isSame || formerly.includes(departed)) && (records.get(name)?.known ?? 0) === 0
  })
}
