// The ids of labels by name, looked up once for all destinations of a user. A missing label is created. When Gmail no longer
// knows one (it was renamed or deleted), it is looked up again.
import type { Label } from './reply.ts'

/** Labels that Gmail itself has, by their names, which are their ids. */
const SYSTEM: ReadonlySet<string> = new Set(
  'INBOX UNREAD STARRED IMPORTANT SPAM TRASH SENT DRAFT CHAT CATEGORY_PERSONAL CATEGORY_SOCIAL CATEGORY_PROMOTIONS CATEGORY_UPDATES CATEGORY_FORUMS'.split(
    ' ',
  ),
)

/** The label as Gmail has it: those of its own in capitals. */
export function labelName(written: string): string {
  const upper = written.toUpperCase()
  return SYSTEM.has(upper) ? upper : written
}

/** Where labels come from. */
export interface LabelSource {
  list(): Promise<readonly Label[]>
  /** Null: a label of this name already exists. */
  make(name: string): Promise<Label | null>
}

export class Labels {
  #ids = new Map<string, string>()
  #looked = false
  #busy: Promise<unknown> = Promise.resolve()

  /** In the order of the names. Missing ones are made. Rejects as `source` does. */
  async idsOf(names: readonly string[], source: LabelSource): Promise<readonly string[]> {
    // One after the other: otherwise two that lack the same label would both create it.
    const found = this.#busy.then(() => this.#find(names, source))
    this.#busy = found.catch(() => undefined)
    return await found
  }

  /** What is known may be wrong. */
  forget(): void {
    this.#ids.clear()
    this.#looked = false
  }

  async #find(names: readonly string[], source: LabelSource): Promise<readonly string[]> {
    const own = names.filter((name) => !SYSTEM.has(name))
    if (!this.#looked && own.length > 0) await this.#look(source)
    for (const name of own) {
      if (this.#idOf(name) !== undefined) continue
      const made = await source.make(name)
      if (made === null) await this.#look(source)
      else this.#ids.set(name, made.id)
    }
    return names.map((name) => (SYSTEM.has(name) ? name : (this.#idOf(name) ?? '')))
  }

  async #look(source: LabelSource): Promise<void> {
    const labels = await source.list()
    this.#ids = new Map(labels.map(({ name, id }) => [name, id]))
    this.#looked = true
  }

  /** Gmail does not make a label whose name differs from that of another by case alone. */
  #idOf(name: string): string | undefined {
    const exact = this.#ids.get(name)
    if (exact !== undefined) return exact
    const folded = name.toLowerCase()
    return [...this.#ids].find(([known]) => known.toLowerCase() === folded)?.[1]
  }
}
