// Which messages are of a day or later (`--since`): the header tells, asked for with TOP n 0 once for each message and run.
// One rule: a message without a date is moved, because one left behind is worse than one too many.
import { parseDateMs } from '../header/date.ts'
import { field, receivedDateMs, splitHeader } from '../header.ts'
import type { PlannedFetch } from '../poll/plan/entry.ts'
import type { MessageLooks } from '../poll/run/restrictions.ts'

/** This many are judged before a look that ends its session makes the next one begin again. */
const AT_ONCE = 64

export class Since {
  readonly #sinceMs: number
  /** By UIDL and copy: is it taken? Kept, because a migration may take many sessions. */
  readonly #taken = new Map<string, boolean>()

  constructor(sinceMs: number) {
    this.#sinceMs = sinceMs
  }

  /** Those of `fetches` that are not older, in their order. Rejects with BrokenLook. */
  async select(fetches: readonly PlannedFetch[], looks: Pick<MessageLooks, 'read'>): Promise<readonly PlannedFetch[]> {
    const unknown = fetches.filter((fetch) => !this.#taken.has(keyOf(fetch)))
    for (let at = 0; at < unknown.length; at += AT_ONCE) {
      const batch = unknown.slice(at, at + AT_ONCE)
      const taken = await looks.read(batch, (header) => this.#isTaken(header))
      // What is not shown is moved.
      batch.forEach((fetch, index) => this.#taken.set(keyOf(fetch), taken[index] ?? true))
    }
    return fetches.filter((fetch) => this.#taken.get(keyOf(fetch)) !== false)
  }

  #isTaken(header: Buffer): boolean {
    const dateMs = dateOf(splitHeader(header))
    return dateMs === null || dateMs >= this.#sinceMs
  }
}

/** When the server received it; else the sender's date, which may say anything. */
function dateOf(header: Buffer): number | null {
  return receivedDateMs(header) ?? parseDateMs(field(header, 'date') ?? '')
}

function keyOf({ uidl, copy }: PlannedFetch): string {
  return `${copy} ${uidl}`
}
