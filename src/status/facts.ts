// Reads from the ledger what a status is made of. Changes nothing, and works while polls run.
import type { Ledger } from '../ledger/ledger.ts'
import type { Records } from '../ledger/records.ts'
import { askedTrouble } from './asked-trouble.ts'
import { missedPolls } from './remembered/missed.ts'
import type { Facts } from './status.ts'

/** This many messages of an account are shown in each state; `state list` has all. */
const SHOWN_OF_ACCOUNT = 5
/** And this many over all accounts. */
const SHOWN = 200

export interface ReadLedger {
  readonly accounts: Ledger['accounts']
  readonly destinations: Ledger['destinations']
  readonly pauses: Pick<Ledger['pauses'], 'all'>
  readonly workers: Ledger['workers']
  readonly spans: Ledger['spans']
  readonly memo: Ledger['memo']
  readonly records: Pick<Records, 'unsettled' | 'outstanding'>
}

/** What is not in the ledger. */
export interface Surroundings extends Pick<Facts, 'nowMs' | 'configured' | 'disabled' | 'signIns' | 'daemon'> {
  /** Names of the destinations of the configuration: a rest of any other concerns nobody. Absent: they cannot be told. */
  readonly destinationNames?: readonly string[]
}

/** Rejects with ERR_LEDGER. */
export async function readFacts(ledger: ReadLedger, { destinationNames, ...known }: Surroundings): Promise<Facts> {
  return {
    ...known,
    records: await ledger.accounts(),
    unsettled: await ledger.records.unsettled(),
    messages: await ledger.records.outstanding({ ofAccount: SHOWN_OF_ACCOUNT, inAll: SHOWN }),
    destinations: namedSo(await ledger.destinations(), destinationNames),
    pauses: await ledger.pauses.all(),
    workers: await ledger.workers(),
    spans: ledger.spans,
    asked: await askedTrouble(ledger),
    missed: await missedPolls(ledger, known.nowMs),
  }
}

/** The same without messages, for whoever only asks whether all is well (health.ts): it looks at no message of the ledger. */
export async function readBriefly(
  ledger: Pick<ReadLedger, 'accounts' | 'destinations' | 'pauses' | 'memo'>,
  { destinationNames, ...known }: Surroundings,
): Promise<Facts> {
  const nothing = { unsettled: new Map(), messages: new Map() }
  const [records, all] = [await ledger.accounts(), await ledger.destinations()]
  const destinations = namedSo(all, destinationNames)
  return {
    ...known,
    ...nothing,
    records,
    destinations,
    pauses: await ledger.pauses.all(),
    asked: await askedTrouble(ledger),
  }
}

function namedSo(all: Facts['destinations'], configured: readonly string[] | undefined): Facts['destinations'] {
  if (configured === undefined) return all
  const known = new Set(configured)
  return all.filter(({ names }) => names.length === 0 || names.some((name) => known.has(name)))
}
