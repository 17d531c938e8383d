// What the suite of the ledger's contract asks of each way to keep a ledger: a place, and to open it as often as wanted.
import type { Ledger } from '../../src/ledger/ledger.ts'
import { child, type Child } from './scene.ts'

export interface OpenOptions {
  /** The ledger's clock; the usual one where a test does not say. */
  readonly nowMs?: () => number
  /** What this machine is called, where several may share the ledger. */
  readonly machine?: string
}

/** Where a ledger is kept. Nothing is there before it is opened first; cleared away when the test ends. */
export interface Place {
  /** Tells it to another process. */
  readonly name: string
  /** Opens the ledger, and makes it where there is none. Closed when the test ends at the latest. */
  open(options?: OpenOptions): Promise<Ledger>
}

/** A way to keep a ledger. */
export interface Kind {
  readonly name: string
  place(): Promise<Place>
  /** A module that exports `open`: (name of a place) → its ledger, for the processes that the suite starts and kills. */
  readonly opener: string
  /** How many sequences of calls are tried; absent: the usual number. Where a place costs something, fewer. */
  readonly sequences?: number
}

export async function freshLedger(kind: Kind, options: OpenOptions = {}): Promise<Ledger> {
  return (await kind.place()).open(options)
}

/** Another process that uses the ledger of `place`; killed when the test ends. */
export function processAt(kind: Kind, place: Pick<Place, 'name'>, script: string, ...args: readonly string[]): Child {
  return child(`contract/${script}`, kind.opener, place.name, ...args)
}
