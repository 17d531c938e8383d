// Messages that the server was told to delete, and whose UIDLs it lists no more. One that comes now with the digest of such a
// message is that message. The server ignored the deletion and gave it a new UID (P134, N048). It takes over its record, is not
// delivered again, and its deletion is asked for once more.
// The one rule: only the digest of all of it says "the same", and it is paired once.
import type { Comparison, EntryKey, KnownMessage } from '../../ledger/ledger.ts'
import type { Message } from '../../message.ts'
import type { PlannedFetch } from '../plan/entry.ts'
import type { Plan } from '../plan/plan.ts'
import type { Visit } from '../visit.ts'

/** This many are looked for; where one poll deleted more, the others would come again once. */
const MOST_LOOKED_FOR = 10_000

interface Deleted {
  readonly key: EntryKey
  readonly known: KnownMessage
}

export class DeletedBefore {
  readonly #byDigest: Map<string, Deleted[]>

  private constructor(deleted: readonly Deleted[]) {
    this.#byDigest = Map.groupBy(deleted, ({ known }) => known.digest?.toString('hex') ?? '')
  }

  /** Call before what the listing lacks is recorded as gone. */
  static async of(plan: Plan, comparison: Comparison): Promise<DeletedBefore> {
    const deleted: Deleted[] = []
    if (plan.fetch.some(({ known }) => known === null))
      for await (const keys of comparison.unseenRemoved()) {
        const messages = await comparison.known(keys)
        for (const [at, key] of keys.entries()) {
          const known = messages[at] ?? null
          if (known?.state === 'delivered' && known.digest !== null) deleted.push({ key, known })
        }
        if (deleted.length >= MOST_LOOKED_FOR) break
      }
    return new DeletedBefore(deleted)
  }

  /** No message can be one of them. */
  get isEmpty(): boolean {
    return this.#byDigest.size === 0
  }

  /** Is it one of the deleted messages? Then it is recorded as that message, which is returned; null: it is not. Rejects when
   *  the ledger cannot be written. */
  async recognise(fetch: PlannedFetch, { digest }: Message, visit: Visit): Promise<PlannedFetch | null> {
    if (this.#byDigest.size === 0 || fetch.known !== null) return null
    const same = this.#byDigest.get(digest.toString('hex'))?.shift()
    if (same === undefined) return null
    const { lease, run, tally } = visit
    const key = { uidl: fetch.uidl, copy: fetch.copy }
    // It was begun as a new one. Cut short in between it is new again, and recognised again.
    await run.ledger.records.forget(lease, [key], {})
    await run.ledger.rekey(lease, [{ from: same.key, to: key }])
    await run.ledger.returned(lease, [key])
    tally.note('a message that was deleted has a new UID: not delivered again')
    return { ...fetch, known: same.known }
  }
}
