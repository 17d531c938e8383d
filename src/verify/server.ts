// What a server has, by its lists alone: no message is asked for, not even a header, since some servers take that for reading (P129).
import type { Account } from '../config/schema.ts'
import { blankRecord } from '../ledger/account.ts'
import type { EntryKey } from '../ledger/ledger.ts'
import type { MessageRecord } from '../ledger/records.ts'
import { runAfter, runBefore } from '../poll/before-after.ts'
import { signInWithoutPoll } from '../poll/sign-in/without-poll.ts'
import { Workarounds } from '../poll/sign-in/workarounds.ts'
import type { Listing } from '../pop3/listing/listing.ts'
import { STAND_IN, standInFor } from '../redact/stand-in.ts'
import type { VerifyRequest } from './report.ts'

/** Entries in one question to the ledger. */
const AT_ONCE = 5000

/** Signs in as the account is configured, asks for the lists, and leaves. Rejects with what keeps it from doing so. */
export async function listServer(account: Account, request: VerifyRequest): Promise<OnServer> {
  const { ledger, nowMs } = request
  const { name, host, port, user } = account
  const record = (await ledger.account(name)) ?? blankRecord(name, { host, port, user })
  const context = { ...request, workarounds: new Workarounds(record.facts, nowMs()) }
  await runBefore(account, request)
  const nothing = { delivered: 0, deferred: 0, refused: 0, held: 0, deleted: 0, error: null }
  try {
    await using session = await signInWithoutPoll(account, context, { opened: () => {}, note: () => {} })
    const listing = await session.list()
    await listing.tellCopies()
    await session.quit()
    return new OnServer(listing)
  } finally {
    await runAfter(account, request, { ...nothing, outcome: 'ok' })
  }
}

export class OnServer {
  readonly #listing: Listing
  readonly #counts = new Map<string, number>()
  #standIns: ReadonlySet<string> | null = null

  constructor(listing: Listing) {
    this.#listing = listing
    for (const index of listing.sharing()) {
      const uidl = listing.uidl(index)
      this.#counts.set(uidl, (this.#counts.get(uidl) ?? 0) + 1)
    }
  }

  /** False: it gives no UIDLs, or not for all. Then only headers tell which message is which. */
  get tells(): boolean {
    return this.#listing.hasUidls && this.#listing.find(Buffer.alloc(0)) === -1
  }

  /** Copies of one UIDL are told apart by their headers, which this does not ask for: the first ones count as there. */
  has({ key: { uidl, copy }, goneSinceMs }: Pick<MessageRecord, 'key' | 'goneSinceMs'>): boolean {
    if (uidl.startsWith(STAND_IN)) return this.#allStandIns().has(uidl)
    // The ledger's own key for a message that has no UIDL.
    if (uidl.startsWith('\0')) return goneSinceMs === null
    if (this.#listing.find(Buffer.from(uidl, 'latin1')) === -1) return false
    return copy < (this.#counts.get(uidl) ?? 1) || goneSinceMs === null
  }

  /** Keys that are not in the ledger, in slices. */
  async *unknown(
    known: (keys: readonly EntryKey[]) => Promise<readonly (object | null)[]>,
  ): AsyncGenerator<readonly EntryKey[]> {
    for (let at = 0; at < this.#listing.length; at += AT_ONCE) {
      const entries = this.#listing.slice(at, at + AT_ONCE).filter(({ uidl }) => uidl !== '')
      const plain = await known(entries)
      const left = entries.filter((_, index) => plain[index] === null)
      const masked = await known(left.map(({ uidl, copy }) => ({ uidl: standInFor(uidl), copy })))
      yield left.filter((_, index) => masked[index] === null)
    }
  }

  /** Only a ledger that has some asks. */
  #allStandIns(): ReadonlySet<string> {
    if (this.#standIns === null) {
      const all = new Set<string>()
      for (let index = 0; index < this.#listing.length; index++) all.add(standInFor(this.#listing.uidl(index)))
      this.#standIns = all
    }
    return this.#standIns
  }
}
