// Very many entries of one UIDL cost a TOP each at every poll, only to find that nothing changed (P166). So copies that were
// told apart once are remembered for a day. That holds while the listing shows the same sizes in the same order, and there is
// nothing to do about any of the messages. The one rule: this may say "known", and never "new".
import { createHash } from 'node:crypto'
import type { ComparedMessage, Comparison } from '../../ledger/ledger.ts'
import type { ListingEntry } from '../../pop3/listing/listing.ts'
import type { Planner } from '../plan/plan.ts'
import { isDoubtful } from './identify.ts'
import type { Identified } from './match.ts'

/** So few are looked at each time. */
const FEW = 200
const DAY_MS = 86_400_000

/** In AccountRecord.facts. */
export const COPIES = 'copies'

/** `fact`: as the account's record has it. */
export interface CopiesMark {
  readonly fact: string | undefined
  readonly nowMs: number
}

/** The messages that these entries of shared UIDLs are, in no particular order among those of one UIDL; null: a closer look is due. */
export async function rememberedCopies(
  entries: readonly ListingEntry[],
  { fact, nowMs }: CopiesMark,
  planner: Pick<Planner, 'isIdle'>,
  comparison: Comparison,
): Promise<readonly Identified[] | null> {
  if (entries.length <= FEW || fact === undefined) return null
  const [digest, atMs] = fact.split(' ')
  if (digest !== digestOf(entries) || !(Math.abs(nowMs - Number(atMs)) < DAY_MS)) return null
  const groups = Map.groupBy(entries, ({ uidl }) => uidl)
  const copies = await comparison.copies([...groups.keys()])
  const identified: Identified[] = []
  for (const [uidl, group] of groups) {
    const known = copies.get(uidl) ?? []
    if (known.length !== group.length) return null
    for (const [at, entry] of group.entries()) {
      const copy = known[at]
      if (copy === undefined || isDoubtful(copy.known) || !planner.isIdle(entry, copy.known)) return null
      identified.push({ entry: { ...entry, copy: copy.copy }, known: copy.known })
    }
  }
  return identified
}

/** What is to be remembered once they were looked at; null: nothing, for one of them is new. */
export function copiesMark(
  entries: readonly ListingEntry[],
  known: readonly (ComparedMessage | null)[],
  nowMs: number,
): string | null {
  return entries.length <= FEW || known.includes(null) ? null : `${digestOf(entries)} ${nowMs}`
}

function digestOf(entries: readonly ListingEntry[]): string {
  const hash = createHash('sha256')
  for (const { uidl, sizeBytes } of entries) hash.update(`${sizeBytes} ${uidl}\n`, 'latin1')
  return hash.digest('hex').slice(0, 32)
}
