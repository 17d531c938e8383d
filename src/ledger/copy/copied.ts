// What is copied from one kind of ledger into another (DESIGN 4.6): every row that says what was delivered, what waits and what a person
// wants, in values that both kinds understand. Not copied: who is at work, when polls are due, the marks of listings. Those are of
// the place, and found out again.
import { createHash } from 'node:crypto'

/** `n` a number, `t` text, `b` bytes, `f` 0 or 1, `w` a word of our own. */
export type ValueKind = 'n' | 't' | 'b' | 'f' | 'w'
export type CopiedValue = number | string | Buffer | null
export type CopiedValues = readonly CopiedValue[]

interface Column {
  readonly name: string
  readonly kind: ValueKind
}

/** `name:kind`, separated by blanks. */
function columns(text: string): readonly Column[] {
  return text.split(/\s+/).map((one) => {
    const [name = '', kind = 'n'] = one.split(':')
    return { name, kind: kind as ValueKind }
  })
}

// The names are those of both kinds, but `user` of an account, and `facts`, `harm` and `text` (see the folders copy/ of the kinds).
export const COLUMNS = {
  account:
    columns(`name:t host:t port:n user:t started:f last_poll_ms:n last_success_ms:n failures:n refusals:n secret_mark:n
    paused_until_ms:n error:t told_state:t told_ms:n listings:n taking_over:t facts:t`),
  message:
    columns(`uidl:b copy:n state:n attempts:n first_seen_ms:n listed_bytes:n received_bytes:n fingerprint:b digest:b
    retry_after_ms:n deletions:n reason:t message_id:t delivered_ms:n deleted_ms:n gone_since_ms:n gone_listing:n sender:t subject:t
    date_ms:n deletion_wanted_ms:n deletion_tried:n deletion_reason:t harm_command:w harm_times:n harm_last_ms:n`),
  delivery:
    columns(`destination:t recipient:t state:n intent:t attempts:n unknowns:n refusals:n deferrals:n retry_after_ms:n
    handed_over:f settled_ms:n receipt:t conclusion:t error:t machine:t`),
  day: columns('day:n delivered:n bytes:n failures:n longest_wait_ms:n'),
  destination: columns('key:t recipient:t record:t'),
  memo: columns('name:t text:t'),
  pause: columns('kind:w name:t by_whom:t since_ms:n until_ms:n'),
} as const

export type CopiedTable = Exclude<keyof typeof COLUMNS, 'delivery'>

/** One row. Rows of an account come after its own; its messages in the order in which they became known. */
export interface CopiedRow {
  readonly table: CopiedTable
  /** '': of none. */
  readonly account: string
  /** In the order of COLUMNS. */
  readonly values: CopiedValues
  /** Of a message; [] for all others. */
  readonly deliveries: readonly CopiedValues[]
}

/** That a daemon is wanted there, and that the place itself is set aside. */
const OF_THE_PLACE = /^(?:daemon(?: .*)?|set aside)$/s

/** Is it worth anything elsewhere? */
export function isCopied({ table, values: [name] }: Pick<CopiedRow, 'table' | 'values'>): boolean {
  return table !== 'memo' || !OF_THE_PLACE.test(String(name))
}

/** The facts of an account, with their names in order, so that equal ones are equal texts. */
export function factsText(facts: Readonly<Record<string, string>>): string {
  const names = Object.keys(facts).toSorted((a, b) => (a < b ? -1 : 1))
  return JSON.stringify(Object.fromEntries(names.map((name) => [name, facts[name]])))
}

export interface CopiedCounts {
  readonly accounts: number
  readonly messages: number
  readonly deliveries: number
}

/** Counts rows, and digests them so that the order of accounts says nothing, but that of an account's messages does. */
export class Digest {
  readonly #places = new Map<string, number>()
  readonly #counts = new Map<string, number>()
  #sum = 0n

  add(rows: readonly CopiedRow[]): void {
    for (const row of rows) {
      const { table, account, values, deliveries } = row
      const place = this.#places.get(account) ?? 0
      if (table === 'message') this.#places.set(account, place + 1)
      const text = JSON.stringify([
        table,
        account,
        table === 'message' ? place : 0,
        plain(values),
        deliveries.map(plain),
      ])
      this.#sum = BigInt.asUintN(256, this.#sum + BigInt(`0x${createHash('sha256').update(text).digest('hex')}`))
      this.#count(table, 1)
      this.#count('delivery', deliveries.length)
    }
  }

  #count(table: string, more: number): void {
    this.#counts.set(table, (this.#counts.get(table) ?? 0) + more)
  }

  get counts(): CopiedCounts {
    const of = (table: string): number => this.#counts.get(table) ?? 0
    return { accounts: of('account'), messages: of('message'), deliveries: of('delivery') }
  }

  /** Equal where all rows are. */
  get text(): string {
    const counts = [...this.#counts]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([table, count]) => `${table} ${count}`)
    return `${counts.join(', ')}: ${this.#sum.toString(16)}`
  }
}

function plain(values: CopiedValues): readonly (number | string | null)[] {
  return values.map((value) => (Buffer.isBuffer(value) ? value.toString('hex') : value))
}
