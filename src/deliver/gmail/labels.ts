// The ids of labels by name, looked up once for all destinations of a user. A missing label is created. When Gmail no longer
// knows one (it was renamed or deleted), it is looked up again.
import { type Filling, filledName, oddName } from '../placeholders.ts'
import type { Label } from './reply.ts'

/** Labels that Gmail itself has, by their names, which are their ids. */
const SYSTEM: ReadonlySet<string> = new Set(
  'INBOX UNREAD STARRED IMPORTANT SPAM TRASH SENT DRAFT CHAT CATEGORY_PERSONAL CATEGORY_SOCIAL CATEGORY_PROMOTIONS CATEGORY_UPDATES CATEGORY_FORUMS'.split(
    ' ',
  ),
)

/** Names that Gmail gives to nobody's label, in any case. */
const RESERVED: ReadonlySet<string> = new Set([...SYSTEM, ...'BIN CHATS DRAFTS MUTED SCHEDULED SNOOZED'.split(' ')])

/** The label as Gmail has it: those of its own in capitals. */
export function labelName(written: string): string {
  const upper = written.toUpperCase()
  return SYSTEM.has(upper) ? upper : written
}

/** A label with what is in braces filled in: whoever writes to trash@ has a label as all others have, not Gmail's own. */
export function filledLabel(written: string, filling: Filling): string {
  const name = filledName(written, filling)
  return name !== written && RESERVED.has(name.toUpperCase()) ? oddName(name.toLowerCase()) : name
}

/** Where labels come from. */
export interface LabelSource {
  list(): Promise<readonly Label[]>
  /** An error: a label of this name exists already, as Gmail says. */
  make(name: string): Promise<Label | Error>
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
    const ids: string[] = []
    for (const name of names) ids.push(SYSTEM.has(name) ? name : await this.#idFor(name, source))
    return ids
  }

  async #idFor(name: string, source: LabelSource): Promise<string> {
    if (!this.#looked) await this.#look(source)
    const known = this.#idOf(name)
    if (known !== undefined) return known
    const made = await source.make(name)
    if (!(made instanceof Error)) {
      this.#ids.set(name, made.id)
      return made.id
    }
    // Another process was quicker.
    await this.#look(source)
    const found = this.#idOf(name)
    if (found === undefined) throw made
    return found
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
