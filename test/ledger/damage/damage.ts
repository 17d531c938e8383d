// Damages a ledger's file as disks, controllers and careless copies do: flipped bits, pages of zeros or of something else, a file that
// was cut, pages that were swapped or written twice. The same seed damages alike. And what must hold of a ledger that was repaired.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { checkLedger } from '../../../src/ledger/sqlite/mend/check.ts'
import { repairLedger, type Repaired } from '../../../src/ledger/sqlite/mend/repair.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import type { MessageRecord } from '../../../src/ledger/records.ts'
import { type Truth, truthOf } from './sample.ts'

const PAGE = 4096

export const KINDS = ['flipped', 'zeroed', 'cut', 'swapped', 'doubled', 'scrambled', 'log'] as const
export type DamageKind = (typeof KINDS)[number]

/** Mulberry32: numbers from 0 to 1. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Damages the ledger at `path`; gives how. */
export function damage(path: string, seed: number): DamageKind {
  const random = randomOf(seed * 7919 + 1)
  const below = (limit: number): number => Math.floor(random() * limit)
  const wanted = KINDS[seed % KINDS.length] ?? 'flipped'
  const kind = wanted === 'log' && !existsSync(`${path}-wal`) ? 'flipped' : wanted
  const file = kind === 'log' ? `${path}-wal` : path
  const bytes = readFileSync(file)
  const pages = Math.floor(bytes.length / PAGE)
  const page = (number: number): Buffer => bytes.subarray(number * PAGE, (number + 1) * PAGE)
  let result = bytes
  const [one, other] = [below(pages), below(pages)]
  switch (kind) {
    case 'flipped':
    case 'log':
      for (let left = 1 + below(4); left > 0; left--) {
        const at = below(bytes.length)
        bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8))
      }
      break
    case 'zeroed':
      for (let at = one; at < Math.min(pages, one + 1 + below(3)); at++) page(at).fill(0)
      break
    case 'scrambled':
      for (let at = 0; at < PAGE; at++) page(one)[at] = below(256)
      break
    case 'cut':
      result = bytes.subarray(0, below(2) === 0 ? one * PAGE : below(bytes.length))
      break
    case 'swapped': {
      const before = Buffer.from(page(one))
      page(other).copy(page(one))
      before.copy(page(other))
      break
    }
    case 'doubled':
      page(one).copy(page(other))
      break
  }
  writeFileSync(file, result)
  return kind
}

export interface Verdict {
  readonly kind: DamageKind
  readonly what: 'unnoticed' | 'repaired' | 'nothing saved'
  /** Messages that SQLite itself still reads rightly, and that the repaired ledger knows rightly; of so many. */
  readonly before: number
  readonly after: number
  readonly all: number
  /** Broken promises. */
  readonly faults: readonly string[]
}

/** Repairs the damaged ledger at `path` and judges what came of it. */
export async function judge(path: string, kind: DamageKind, truth: Truth, seed: string): Promise<Verdict> {
  const all = [...truth.values()].reduce((sum, messages) => sum + messages.size, 0)
  const before = readable(path, truth)
  const asItWas = readFileSync(path)
  let repaired: Repaired | null
  try {
    repaired = await repairLedger(path)
  } catch (error) {
    const faults: string[] = []
    if ((error as { code?: string }).code !== 'ERR_LEDGER') faults.push(`${seed}: ${String(error)}`)
    if (before > 0) faults.push(`${seed}: nothing saved, though SQLite reads ${before}: ${String(error)}`)
    if (!readFileSync(path).equals(asItWas)) faults.push(`${seed}: nothing saved, and the file was changed`)
    return { kind, what: 'nothing saved', before, after: 0, all, faults }
  }
  if (repaired === null) return { kind, what: 'unnoticed', before, after: before, all, faults: [] }
  const faults: string[] = []
  const { faults: left } = await checkLedger(path)
  if (left.length > 0) faults.push(`not sound after repair: ${left.join('; ')}`)
  await using ledger = await openLedger(path)
  const now = await truthOf(ledger)
  let after = 0
  const nameless = new Set(repaired.nameless)
  const asking = new Set(repaired.asking)
  for (const [account, messages] of truth) {
    const found = now.get(account) ?? new Map<string, never>()
    const isKnownElsewhere = [...nameless].some((name) => (now.get(name)?.size ?? 0) > 0)
    let missing = 0
    for (const [name, told] of messages) {
      const known = found.get(name) ?? [...nameless].flatMap((lost) => now.get(lost)?.get(name) ?? [])[0]
      if (known === undefined) {
        missing++
        continue
      }
      if (isAsGood(known, told)) after++
      if (told.state === 'delivered' && known.state === 'open' && !asking.has(account) && nameless.size === 0)
        faults.push(`${account} ${name} was delivered, is open, and nobody asks`)
      for (const { destination, recipient, state } of known.deliveries) {
        const was = told.deliveries.find((each) => each.destination === destination && each.recipient === recipient)
        if (state !== 'done' || was?.state !== 'done')
          faults.push(`${account} ${name}: ${destination} ${recipient} is ${state}, was ${was?.state}`)
      }
    }
    const loss = repaired.losses.find((each) => each.account === account || nameless.has(each.account))
    if (missing > 0 && now.has(account) && !isKnownElsewhere) {
      if (loss === undefined || loss.messages < missing)
        faults.push(`${account}: ${missing} missing, ${loss?.messages ?? 0} told`)
      if (!asking.has(account)) faults.push(`${account}: ${missing} missing, and nobody asks`)
    }
  }
  for (const [account, messages] of now)
    for (const [name, known] of messages) {
      const told = nameless.has(account)
        ? [...truth.values()].flatMap((each) => each.get(name) ?? [])
        : [truth.get(account)?.get(name)]
      if (known.state === 'delivered' && !told.some((each) => each?.state === 'delivered'))
        faults.push(`${account} ${name} counts as delivered, and is ${told[0]?.state ?? 'not there'}`)
      if (known.state === 'seen' && told.every((each) => each === undefined || isOpenOrHeld(each)))
        faults.push(`${account} ${name} counts as seen, and is ${told[0]?.state ?? 'not there'}`)
    }
  // Where two rows contradict each other, neither is believed.
  if (after < before - 4) faults.push(`worse than before: ${before} could be read, ${after} are left`)
  return { kind, what: 'repaired', before, after, all, faults: faults.map((fault) => `${seed}: ${fault}`) }
}

/** Nothing of it is sent again, and nothing that was not delivered counts as delivered. */
function isAsGood(known: MessageRecord, told: MessageRecord): boolean {
  if (known.state === told.state) return true
  // Imported: nothing else says that it was delivered.
  if (told.deliveries.length === 0) return told.state === 'delivered' && known.state === 'seen'
  // Its row is broken behind its key: open, and nothing is left to be sent.
  return told.state === 'delivered' && known.deliveries.length === told.deliveries.length
}

function isOpenOrHeld({ state }: MessageRecord): boolean {
  return state === 'open' || state === 'held'
}

/** How many messages SQLite itself still reads in the damaged file as they were. */
function readable(path: string, truth: Truth): number {
  const states = ['open', 'delivered', 'seen', 'held', 'open']
  let count = 0
  try {
    const database = new DatabaseSync(path, { readOnly: true })
    try {
      const names = new Map(
        database
          .prepare('SELECT id, name FROM account')
          .all()
          .map((row) => [row['id'], String(row['name'])]),
      )
      const next = database.prepare(
        'SELECT id, account, uidl, copy, state FROM message NOT INDEXED WHERE id > ? ORDER BY id LIMIT 1',
      )
      for (let after = 0; ;) {
        const row = next.get(after)
        // A page that stands twice may lead back to rows that were read: what does not go on has an end here.
        if (row === undefined || Number(row['id']) <= after) break
        after = Number(row['id'])
        const uidl = Buffer.from(row['uidl'] as Uint8Array).toString('latin1')
        const told = truth.get(names.get(row['account'] ?? null) ?? '')?.get(`${uidl} ${String(row['copy'])}`)
        if (told !== undefined && told.state === states[Number(row['state'])]) count++
      }
    } finally {
      database.close()
    }
  } catch {
    // No further.
  }
  return count
}
