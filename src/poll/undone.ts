// Deletions that should have happened in this poll and did not. They are remembered with the reason, told when they begin, and
// counted where people look (P131, P132, P134, P159). The next listing decides what became of those whose answer was lost.
import { nameOfMessage } from '../ledger/destination.ts'
import type { EntryKey, KnownMessage, Lease } from '../ledger/ledger.ts'
import type { Run } from './run/run.ts'
import type { Tally } from './tally.ts'

/** A message that should have left the server. `known` null or absent: it came in this session. */
export interface Undeleted extends EntryKey {
  readonly known?: Pick<KnownMessage, 'deletion'> | null
}

interface Failure {
  readonly key: EntryKey
  readonly reason: string
  /** Was it noted by no earlier poll? */
  readonly begins: boolean
  /** Was DELE, or a look before it, tried in this poll? */
  readonly tried: boolean
  readonly isRecorded: boolean
}

/** The poll as far as it is needed here. */
interface Surroundings {
  readonly account: { readonly name: string }
  readonly lease: Lease
  readonly run: Pick<Run, 'ledger'>
  readonly tally: Tally
}

/** Headings looked up for people, in one call. */
const MOST_TOLD = 100

export class Undone {
  readonly #failures = new Map<string, Failure>()
  readonly #account: string

  constructor(account: string) {
    this.#account = account
  }

  /** Remembers it at once. `tried`: DELE was sent. Rejects when the ledger cannot be written. */
  async note(
    messages: readonly Undeleted[],
    reason: string,
    tried: boolean,
    { lease, run }: Pick<Surroundings, 'lease' | 'run'>,
  ): Promise<void> {
    if (messages.length === 0) return
    await run.ledger.noteDeletions(
      lease,
      messages.map(({ uidl, copy }) => ({ key: { uidl, copy }, pending: { reason, tried } })),
    )
    this.#add(messages, reason, tried, true)
  }

  /** Is its reason noted already? */
  has(message: EntryKey): boolean {
    return this.#failures.has(nameOfMessage(this.#account, message))
  }

  /** Another session of this poll may do better: what is left at the end is remembered then. */
  doubt(messages: readonly Undeleted[], reason: string): void {
    this.#add(messages, reason, true, false)
  }

  #add(messages: readonly Undeleted[], reason: string, tried: boolean, isRecorded: boolean): void {
    for (const { uidl, copy, known } of messages) {
      const name = nameOfMessage(this.#account, { uidl, copy })
      const before = this.#failures.get(name)
      const begins = before?.begins ?? (known?.deletion ?? null) === null
      this.#failures.set(name, { key: { uidl, copy }, reason, begins, tried, isRecorded })
    }
  }

  /** It is gone after all, or was told to go. */
  done(messages: readonly EntryKey[]): void {
    if (this.#failures.size === 0) return
    for (const message of messages) this.#failures.delete(nameOfMessage(this.#account, message))
  }

  /** At the end of the poll. Rejects when the ledger cannot be written. */
  async settle({ account, lease, run, tally }: Surroundings): Promise<void> {
    const all = [...this.#failures.values()]
    tally.failedDeletions = all.filter(({ tried }) => tried).length
    const notes = all.filter(({ isRecorded }) => !isRecorded)
    if (notes.length > 0)
      await run.ledger.noteDeletions(
        lease,
        notes.map(({ key, reason }) => ({ key, pending: { reason, tried: true } })),
      )
    const begun = all.filter(({ begins }) => begins).slice(0, MOST_TOLD)
    // Nearly always, and then nothing is to be looked up.
    if (begun.length === 0) return
    const known = await run.ledger.known(
      account.name,
      begun.map(({ key }) => key),
    )
    for (const [at, { key, reason }] of begun.entries()) {
      const { from = null, subject = null, goneSinceMs = null } = known[at] ?? {}
      if (goneSinceMs === null) tally.problem({ ...key, from, subject, kind: 'undeletable', reason })
    }
  }
}
