// Is there something to tidy in the ledger (tidy.ts)? Asked by every poll from cron, so it loads nothing.
import type { Configuration } from '../../config/schema.ts'
import type { Ledger } from '../../ledger/ledger.ts'

/** The memo of the ledger in which tidy.ts remembers. */
export const MEMO = 'departed'
const DAY_MS = 86_400_000

/** By name, since when it is not configured. */
export type Departed = Readonly<Record<string, { readonly sinceMs: number; readonly agedMs: number }>>

export interface Noted {
  readonly lookedMs: number
  /** Accounts. */
  readonly departed: Departed
  readonly destinations: Departed
}

/** What says which names are configured. */
export type Named = Pick<Configuration, 'accounts' | 'disabled' | 'destinations'>

const NOTHING: Noted = { lookedMs: 0, departed: {}, destinations: {} }

/** True also where it cannot be told: then tidy.ts tells why. */
export async function isTidyDue(configuration: Named, ledger: Pick<Ledger, 'memo'>, nowMs: number): Promise<boolean> {
  try {
    const noted = notedIn(await ledger.memo(MEMO))
    return hasDayPassed(noted, nowMs) || isBack(configuration, noted)
  } catch {
    return true
  }
}

/** Is something configured that was noted as departed? */
export function isBack({ accounts, disabled, destinations }: Named, noted: Noted): boolean {
  return (
    [...accounts, ...disabled].some(({ name }) => noted.departed[name] !== undefined) ||
    Object.keys(noted.destinations).some((name) => destinations.has(name))
  )
}

/** Also after a clock that was ahead. */
export function hasDayPassed({ lookedMs }: Noted, nowMs: number): boolean {
  return lookedMs <= nowMs - DAY_MS || lookedMs > nowMs
}

export function notedIn(text: string | null): Noted {
  if (text === null) return NOTHING
  try {
    const value = JSON.parse(text) as Partial<Noted> | null
    const { lookedMs, departed, destinations } = value ?? {}
    if (typeof lookedMs !== 'number' || typeof departed !== 'object' || departed === null) return NOTHING
    // The version before knew none.
    return { lookedMs, departed, destinations: destinations ?? {} }
  } catch {
    return NOTHING
  }
}
