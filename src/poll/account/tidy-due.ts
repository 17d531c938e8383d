// Is there something to tidy in the ledger (tidy.ts)? Asked by every poll from cron, so it loads nothing.
import type { Configuration } from '../../config/schema.ts'
import type { Ledger } from '../../ledger/ledger.ts'

/** The memo of the ledger in which tidy.ts remembers. */
export const MEMO = 'departed'
const DAY_MS = 86_400_000

export interface Noted {
  readonly lookedMs: number
  readonly departed: Readonly<Record<string, { readonly sinceMs: number; readonly agedMs: number }>>
}

const NOTHING: Noted = { lookedMs: 0, departed: {} }

/** True also where it cannot be told: then tidy.ts tells why. */
export async function isTidyDue(
  { accounts, disabled }: Pick<Configuration, 'accounts' | 'disabled'>,
  ledger: Pick<Ledger, 'memo'>,
  nowMs: number,
): Promise<boolean> {
  try {
    const noted = notedIn(await ledger.memo(MEMO))
    return (
      hasDayPassed(noted, nowMs) || [...accounts, ...disabled].some(({ name }) => noted.departed[name] !== undefined)
    )
  } catch {
    return true
  }
}

/** Also after a clock that was ahead. */
export function hasDayPassed({ lookedMs }: Noted, nowMs: number): boolean {
  return lookedMs <= nowMs - DAY_MS || lookedMs > nowMs
}

export function notedIn(text: string | null): Noted {
  if (text === null) return NOTHING
  try {
    const value = JSON.parse(text) as Partial<Noted> | null
    const { lookedMs, departed } = value ?? {}
    return typeof lookedMs === 'number' && typeof departed === 'object' ? { lookedMs, departed } : NOTHING
  } catch {
    return NOTHING
  }
}
