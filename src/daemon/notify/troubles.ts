// What is wrong now, as far as somebody may be told of it. It leads from the status to troubles with names of their own, so that
// the same trouble is known again at the next look. Pure. When each is told is outbox.ts.
import { display, localStamp } from '../../display.ts'
import type { NoticeEvent } from '../../config/daemon/notify.ts'
import { type AccountStatus, culpritOf, type Resting } from '../../status/account.ts'
import { forMachines } from '../../status/attention.ts'
import { retryHere } from '../../status/next.ts'
import type { Status } from '../../status/status.ts'
import type { Pause } from '../../ledger/ledger.ts'
import { pauseText } from '../../poll/route/paused.ts'
import { signInName, stateText, troubled } from '../../status/sign-in-lines.ts'

/** One thing that is told. Texts are safe to print. */
export interface Item {
  /** Accounts that it is about. */
  readonly accounts: readonly string[]
  /** '': it is about none. */
  readonly destination: string
  readonly code: string
  readonly message: string
  readonly sinceMs: number | null
  /** Of its one account; absent: it is about none, about several, or nobody knows. */
  readonly lastSuccessMs?: number
}

export interface Trouble {
  /** Tells it from all others. */
  readonly key: string
  readonly event: Extract<NoticeEvent, 'problem' | 'sign-in'>
  /** Null: since it was first seen. */
  readonly sinceMs: number | null
  /** It is told once it is this old; Infinity: another trouble says the same. */
  readonly afterMs: number
  /** Whoever is told of that kind is told of it there. */
  readonly unless: NoticeEvent | null
  readonly item: Item
}

/** A password that was refused so often is no mistake of the server. */
const REFUSALS = 3

export function troublesOf(status: Status, alertAfterMs: number): readonly Trouble[] {
  const accounts = status.accounts.filter(({ configured }) => configured)
  return [
    ...status.destinations.map((resting) =>
      ofDestination(resting, accounts, resting.isPaused ? Infinity : alertAfterMs),
    ),
    ...status.pauses.map(ofPause),
    ...troubled(status.signIns).map((signIn): Trouble => {
      const item = { accounts: signIn.accounts, destination: signIn.destinations.join(', '), code: 'ERR_AUTH' }
      const message = display(`${signInName(signIn)}: ${stateText(signIn)}`, 1000)
      const key = JSON.stringify(['sign-in', signIn.client, signIn.user])
      return {
        key,
        event: 'sign-in',
        sinceMs: null,
        afterMs: 0,
        unless: null,
        item: { ...item, message, sinceMs: null },
      }
    }),
    ...accounts.flatMap((account) => ofAccount(account, status, alertAfterMs)),
  ]
}

/** A pause of more than a day may have been forgotten. */
const PAUSED_LONG_MS = 24 * 3_600_000

function ofPause(pause: Pause): Trouble {
  const { kind, name, sinceMs } = pause
  const isAccount = kind === 'account'
  const message = `${pauseText(pause)} ends it`
  const item = { accounts: isAccount ? [display(name)] : [], destination: isAccount ? '' : display(name) }
  return {
    key: JSON.stringify(['paused', kind, name]),
    event: 'problem',
    sinceMs,
    afterMs: PAUSED_LONG_MS,
    unless: null,
    item: { ...item, code: 'ERR_PAUSED', message, sinceMs },
  }
}

function ofDestination(resting: Resting, accounts: readonly AccountStatus[], afterMs: number): Trouble {
  const { destination, sinceMs, error } = resting
  const behind = accounts.filter(({ record }) => culpritOf(record?.error ?? null, [resting]) !== null)
  const item = {
    accounts: behind.map(({ account }) => account),
    destination: display(destination),
    code: error.code,
    message: display(error.message, 1000),
    sinceMs,
  }
  return { key: JSON.stringify(['destination', destination]), event: 'problem', sinceMs, afterMs, unless: null, item }
}

function ofAccount(status: AccountStatus, { destinations, daemon }: Status, afterMs: number): readonly Trouble[] {
  const { account, record, planned, sinceMs, waitingSinceMs, machines, pause } = status
  if (record === null) return []
  const found: Trouble[] = []
  const { lastSuccessMs } = record
  const about = { accounts: [display(account)], destination: '', ...(lastSuccessMs === null ? {} : { lastSuccessMs }) }
  const key = (kind: string): string => JSON.stringify([kind, account])
  const { error, failures, refusals } = record
  const hangs = daemon.pid !== null && planned?.overdue === true
  if (failures > 0 || hangs) {
    const isExplained = !hangs && culpritOf(error, destinations) !== null
    const isRefused = error?.code === 'ERR_AUTH' && refusals >= REFUSALS
    const message = error?.message ?? 'its poll has given no sign of life for long'
    const item = { ...about, code: error?.code ?? 'ERR_TIMEOUT', message: display(message, 1000), sinceMs }
    if (isRefused)
      found.push({ key: key('refused sign-in'), event: 'sign-in', sinceMs, afterMs: 0, unless: null, item })
    found.push({
      key: key('account'),
      event: 'problem',
      sinceMs,
      afterMs: isExplained ? Infinity : afterMs,
      unless: isRefused ? 'sign-in' : null,
      item,
    })
  }
  if (waitingSinceMs !== null) {
    const goesOn =
      machines.length === 0
        ? `popfetch state list ${display(account)} shows it`
        : `start popfetch there, or if it does not come back: ${retryHere(display(account))}`
    const message = `mail has waited since ${localStamp(waitingSinceMs)}${forMachines(machines)}: ${goesOn}`
    const item = { ...about, code: 'ERR_DELIVERY', message, sinceMs: waitingSinceMs }
    // An account that fails, or whose destination is left alone, is told as such.
    const after = failures > 0 ? Infinity : afterMs
    found.push({ key: key('waiting'), event: 'problem', sinceMs: waitingSinceMs, afterMs: after, unless: null, item })
  }
  // A pause is told by itself. What was told before is not over because of it.
  return pause === null ? found : found.map((trouble) => ({ ...trouble, afterMs: Infinity }))
}
