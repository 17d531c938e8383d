// Notices that were sent, and those still to be sent. They are kept in the ledger as one memo for cron and daemon. So each
// trouble is told once, and once when it is over, whichever process sees it. Pure: a state and what is seen now give the next
// state.
//
// A trouble that is old enough is put into the outbox for each entry of `notify` that wants it. Troubles of one kind that one
// look finds make one notice. Whoever sends claims notices for a while first, so that two processes do not send the same one.
// What was claimed by a process that died is sent by the next. A notice that fails is tried again, less and less often, for
// three days.
import type { NoticeEvent } from '../../config/daemon/notify.ts'
import type { Item, Trouble } from './troubles.ts'

export interface Entry {
  /** Tells it from the others, over restarts. */
  readonly mark: string
  readonly on: readonly NoticeEvent[]
}

export interface Notice {
  readonly id: string
  /** The mark of an entry. */
  readonly entry: string
  readonly event: NoticeEvent
  readonly items: readonly Item[]
  /** More of the same were left out. */
  readonly more: number
  readonly madeMs: number
  readonly tries: number
  /** Not before then. */
  readonly dueMs: number
}

interface Known {
  readonly sinceMs: number
  readonly told: boolean
  readonly event: Trouble['event']
  readonly unless: NoticeEvent | null
  readonly item: Item
}

export interface State {
  readonly known: Readonly<Record<string, Known>>
  readonly outbox: readonly Notice[]
}

export interface Seen {
  readonly entries: readonly Entry[]
  /** Null: nobody looked, only notices are to be sent. */
  readonly troubles: readonly Trouble[] | null
  /** What happened in polls, to be told as it is. */
  readonly happened: readonly { readonly event: NoticeEvent; readonly items: readonly Item[] }[]
  /** Is it still in the configuration? What was taken out has not recovered. */
  readonly isConfigured: (item: Item) => boolean
  readonly newId: () => string
  readonly nowMs: number
}

const NOTHING: State = { known: {}, outbox: [] }

const MINUTE_MS = 60_000
/** Longer than a notice may take. */
const CLAIM_MS = 2 * MINUTE_MS
const LONGEST_WAIT_MS = 60 * MINUTE_MS
const KEPT_MS = 3 * 24 * 60 * MINUTE_MS
const MOST_NOTICES = 100
const MOST_ITEMS = 20
/** What is remembered is bounded: ten thousand accounts may fail at once. */
const MOST_KNOWN = 2000

/** A memo that cannot be read is none: at worst something is told twice. */
export function stateOf(text: string | null): State {
  try {
    const { known, outbox } = JSON.parse(text ?? '') as Partial<State>
    return { known: known ?? {}, outbox: outbox ?? [] }
  } catch {
    return NOTHING
  }
}

export function textOf(state: State): string | null {
  return Object.keys(state.known).length + state.outbox.length === 0 ? null : JSON.stringify(state)
}

/** Puts into the outbox what is to be told now. */
export function observed(state: State, seen: Seen): State {
  const { entries, troubles, happened, nowMs, newId } = seen
  const known: Record<string, Known> = {}
  const told: { readonly event: NoticeEvent; readonly unless: NoticeEvent | null; readonly item: Item }[] = []
  for (const trouble of (troubles ?? []).slice(0, MOST_KNOWN)) {
    const before = state.known[trouble.key]
    // If the clock was ahead then, that says nothing.
    const firstMs = before === undefined || before.sinceMs > nowMs ? nowMs : before.sinceMs
    const sinceMs = Math.min(trouble.sinceMs ?? firstMs, nowMs)
    const isTold = before?.told === true
    const tell = !isTold && nowMs - sinceMs >= trouble.afterMs
    const { event, unless, item } = trouble
    if (tell) told.push({ event, unless, item })
    known[trouble.key] = { sinceMs, told: isTold || tell, event, unless, item }
  }
  if (troubles === null) Object.assign(known, state.known)
  else
    for (const [key, { told: wasTold, unless, item }] of Object.entries(state.known))
      if (wasTold && known[key] === undefined && seen.isConfigured(item)) told.push({ event: 'recovery', unless, item })
  const events = [...happened.map((each) => each.event), ...told.map((each) => each.event)]
  const made = entries.flatMap(({ mark, on }) =>
    [...new Set(events)]
      .filter((event) => on.includes(event))
      .flatMap((event): readonly Notice[] => {
        const items = [
          ...happened.flatMap((each) => (each.event === event ? each.items : [])),
          ...told.flatMap((each) =>
            each.event === event && (each.unless === null || !on.includes(each.unless)) ? [each.item] : [],
          ),
        ]
        if (items.length === 0) return []
        const shown = items.slice(0, MOST_ITEMS)
        const more = items.length - shown.length
        return [{ id: newId(), entry: mark, event, items: shown, more, madeMs: nowMs, tries: 0, dueMs: nowMs }]
      }),
  )
  const marks = new Set(entries.map(({ mark }) => mark))
  const left = state.outbox.filter(
    ({ entry, madeMs }) => marks.has(entry) && nowMs - madeMs < KEPT_MS && madeMs <= nowMs + KEPT_MS,
  )
  return { known, outbox: [...left, ...made].slice(-MOST_NOTICES) }
}

/** The notices that are due, which are the caller's for two minutes. */
export function claimed(state: State, nowMs: number): { readonly state: State; readonly notices: readonly Notice[] } {
  const isDue = ({ dueMs }: Notice): boolean => dueMs <= nowMs || dueMs > nowMs + LONGEST_WAIT_MS
  const outbox = state.outbox.map((notice) => (isDue(notice) ? { ...notice, dueMs: nowMs + CLAIM_MS } : notice))
  return { state: { ...state, outbox }, notices: state.outbox.filter(isDue) }
}

/** `failed`: ids of those that could not be told; all others of `notices` were. */
export function settled(state: State, notices: readonly Notice[], failed: ReadonlySet<string>, nowMs: number): State {
  const ids = new Set(notices.map(({ id }) => id))
  const outbox = state.outbox.flatMap((notice) => {
    if (!ids.has(notice.id)) return [notice]
    if (!failed.has(notice.id)) return []
    const waitMs = Math.min(MINUTE_MS * 2 ** Math.min(notice.tries, 10), LONGEST_WAIT_MS)
    return [{ ...notice, tries: notice.tries + 1, dueMs: nowMs + waitMs }]
  })
  return { ...state, outbox }
}
