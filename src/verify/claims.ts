// What the ledger says is at destinations that can show it: the finished deliveries of the accounts that are verified. And which
// messages of all accounts it knows, so that what stands at a destination is told from what nobody knows.
import { BitSet } from '../bit-set.ts'
import type { Account } from '../config/schema.ts'
import { messageKey } from '../deliver/message-key.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { originOf } from '../poll/attempt.ts'
import { type Marks, MarkList } from './marks.ts'

/** Which destinations can show what they have. */
interface Showing {
  expect(account: Account): Promise<void>
  /** None: it cannot be shown. */
  shownAt(destination: string, recipient: string, account: Account): Promise<readonly object[]>
}

export class Claims {
  /** Intents of deliveries that a destination can show. */
  readonly intents: Marks
  /** Intents of the others: no longer configured, or not shown. */
  readonly others: Marks
  /** Places of `intents` that were found where they belong, or in another folder. */
  readonly found = new BitSet()
  readonly moved = new BitSet()
  readonly #ledger: Ledger
  readonly #accounts: readonly Account[]

  private constructor(intents: Marks, others: Marks, ledger: Ledger, accounts: readonly Account[]) {
    this.intents = intents
    this.others = others
    this.#ledger = ledger
    this.#accounts = accounts
  }

  /** Rejects with ERR_LEDGER. */
  static async of(
    {
      ledger,
      accounts,
      signal,
    }: { readonly ledger: Ledger; readonly accounts: readonly Account[]; readonly signal: AbortSignal },
    places: Showing,
  ): Promise<Claims> {
    const [intents, others] = [new MarkList(), new MarkList()]
    for (const [number, account] of accounts.entries()) {
      await places.expect(account)
      for await (const slice of ledger.records.list(account.name, 'all')) {
        signal.throwIfAborted()
        for (const { deliveries } of slice)
          for (const { destination, recipient, state, intent } of deliveries) {
            if (state !== 'done' || intent === '') continue
            const shown = await places.shownAt(destination, recipient, account)
            ;(shown.length === 0 ? others : intents).add(intent, number)
          }
      }
    }
    return new Claims(intents.sorted(), others.sorted(), ledger, accounts)
  }

  get isComplete(): boolean {
    return this.found.size === this.intents.length
  }

  /** Is it where it belongs, or in another folder, or nowhere? */
  stateOf(intent: string): 'found' | 'moved' | 'missing' {
    const place = this.intents.find(intent)
    return this.found.has(place) ? 'found' : this.moved.has(place) ? 'moved' : 'missing'
  }

  /** Which of the verified accounts has a message of these keys. Rejects with ERR_LEDGER. */
  async owners(keys: ReadonlySet<string>): Promise<ReadonlyMap<string, string>> {
    const owners = new Map<string, string>()
    for (const account of this.#accounts) {
      if (owners.size === keys.size) break
      await using comparison = this.#ledger.compare(account.name)
      for await (const slice of comparison.keys())
        for (const key of slice) {
          const own = messageKey(originOf(account, key))
          if (keys.has(own)) owners.set(own, account.name)
        }
    }
    return owners
  }

  /** The account that made this claim. */
  accountOf(claim: number): string {
    return this.#accounts[this.intents.tag(claim)]?.name ?? ''
  }

  /** Keys of messages that may stand at a destination without a claim. Those of accounts that are not verified, and of those that are
   *  what is not delivered yet. A second file of a delivered message is none of them. Rejects with ERR_LEDGER. */
  async known(): Promise<Marks> {
    const known = new MarkList()
    const verified = new Map(this.#accounts.map((account) => [account.name, account]))
    for (const { name, identity } of await this.#ledger.accounts()) {
      const account = verified.get(name)
      if (account !== undefined) {
        for (const selection of ['open', 'held'] as const)
          for await (const slice of this.#ledger.records.list(name, selection))
            for (const { key } of slice) known.add(messageKey(originOf(account, key)))
        continue
      }
      await using comparison = this.#ledger.compare(name)
      const { host, user } = identity
      for await (const slice of comparison.keys())
        for (const key of slice) known.add(messageKey({ account: name, host, user, protocol: 'POP3', ...key }))
    }
    return known.sorted()
  }
}
