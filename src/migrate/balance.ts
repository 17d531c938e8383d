// The balance of a migration. Every message that the ledger or the last listing knows is counted once, as verified, or as not
// moved and why. Changes nothing. What counts as verified is verify.ts.
import type { Ledger } from '../ledger/ledger.ts'
import type { MessageRecord } from '../ledger/records.ts'
import type { LastListing } from './progress.ts'
import type { MigrationReport, Unmoved } from './report.ts'
import { verify, type VerifyContext } from './verify.ts'

/** One walk through the folder looks for this many files; their records take 10 MB. */
const BATCH = 5000
const KEYS = 5000
const UNMOVED_KEPT = 1000

export interface BalanceContext extends VerifyContext {
  readonly ledger: Ledger
  /** What was delivered before then was not delivered by this migration. */
  readonly sinceMs: number
  /** Null: no session came as far as a listing. */
  readonly lastListing: LastListing | null
  readonly isLimitReached: boolean
  /** Destinations are not looked at: what the ledger says counts. */
  readonly unread: boolean
  readonly onProgress: (verified: number) => void
}

export type Counts = Pick<
  MigrationReport,
  'messages' | 'verified' | 'read' | 'bytes' | 'earlier' | 'older' | 'beyondLimit' | 'gone' | 'unmovedCount' | 'unmoved'
>

/** Rejects with ERR_LEDGER, or when the signal is given. */
export async function balanceOf(context: BalanceContext): Promise<Counts> {
  const balance = new Balance(context)
  await balance.ledger()
  await balance.listing()
  return balance.counts()
}

class Balance {
  readonly #context: BalanceContext
  readonly #unmoved: Unmoved[] = []
  #unmovedCount = 0
  #verified = 0
  #read = 0
  #bytes = 0
  #earlier = 0
  #gone = 0
  #beyondLimit = 0

  constructor(context: BalanceContext) {
    this.#context = context
  }

  async ledger(): Promise<void> {
    const { ledger, account } = this.#context
    let delivered: MessageRecord[] = []
    for await (const slice of ledger.records.list(account.name, 'all')) {
      for (const message of slice) {
        if (message.state === 'delivered') {
          if (this.#isOfThis(message)) delivered.push(message)
          else this.#earlier++
        } else if (message.state !== 'seen') this.#unsettled(message)
      }
      if (delivered.length < BATCH) continue
      await this.#verify(delivered)
      delivered = []
    }
    await this.#verify(delivered)
  }

  /** Messages that were to be fetched and are not in the ledger. */
  async listing(): Promise<void> {
    const { lastListing, ledger, account, isLimitReached } = this.#context
    if (lastListing === null) return
    for (let at = 0; at < lastListing.wanted.length; at += KEYS) {
      const batch = lastListing.wanted.slice(at, at + KEYS)
      const known = await ledger.known(account.name, batch)
      batch.forEach(({ uidl }, index) => {
        const message = known[index] ?? null
        if (message !== null && message.state !== 'seen') return
        if (isLimitReached) this.#beyondLimit++
        else this.#add({ uidl, messageId: null, kind: 'left', reason: 'not fetched yet' })
      })
    }
    const { left, withoutUidl } = lastListing.plan
    if (isLimitReached) this.#beyondLimit += left
    else this.#unmovedCount += left
    for (let count = 0; count < withoutUidl; count++) {
      const reason = 'the server gives it no UIDL and does not show its header'
      this.#add({ uidl: '', messageId: null, kind: 'left', reason })
    }
  }

  counts(): Counts {
    return {
      messages: this.#verified + this.#unmovedCount,
      verified: this.#verified,
      read: this.#read,
      bytes: this.#bytes,
      earlier: this.#earlier,
      older: this.#context.lastListing?.older ?? 0,
      beyondLimit: this.#beyondLimit,
      gone: this.#gone,
      unmovedCount: this.#unmovedCount,
      unmoved: this.#unmoved,
    }
  }

  #isOfThis({ deliveredMs, deliveries }: MessageRecord): boolean {
    const { sinceMs, account } = this.#context
    const here = deliveries.some(({ destination }) => account.deliver.includes(destination))
    return sinceMs === 0 || (here && (deliveredMs ?? 0) >= sinceMs)
  }

  async #verify(delivered: readonly MessageRecord[]): Promise<void> {
    if (delivered.length === 0) return
    const { unread } = this.#context
    const proofs = unread
      ? delivered.map((message) => ({ message, flaw: null, read: false }))
      : await verify(delivered, this.#context)
    for (const { message, flaw, read } of proofs) {
      if (flaw !== null) this.#add({ ...named(message), kind: 'unverified', reason: flaw })
      else {
        this.#verified++
        if (read) this.#read++
        this.#bytes += message.receivedBytes ?? message.listedBytes ?? 0
      }
    }
    this.#context.onProgress(this.#verified + this.#unmovedCount)
  }

  #unsettled(message: MessageRecord): void {
    if (message.goneSinceMs !== null) {
      this.#gone++
      return
    }
    const { state, deliveries } = message
    const refused = deliveries.find((delivery) => delivery.state === 'refused')
    const failed = deliveries.find(({ error }) => error !== null)
    const kind = state === 'held' ? 'held' : refused === undefined ? 'open' : 'refused'
    const said = state === 'held' ? message.reason : (refused?.error ?? failed?.error ?? message.reason)
    this.#add({ ...named(message), kind, reason: said ?? 'interrupted' })
  }

  #add(unmoved: Unmoved): void {
    this.#unmovedCount++
    if (this.#unmoved.length < UNMOVED_KEPT) this.#unmoved.push(unmoved)
  }
}

function named({ key, messageId }: MessageRecord): { readonly uidl: string; readonly messageId: string | null } {
  return { uidl: key.uidl, messageId }
}
