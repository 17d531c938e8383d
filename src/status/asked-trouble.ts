// What `accountsFrom` printed was not taken, and the accounts before hold: told once, and remembered for as long as it lasts, so that
// `status`, the page and health have it.
import { display } from '../display.ts'
import type { PopfetchError, Retry } from '../errors.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Log } from '../log.ts'
import { EXIT_CONFIGURATION, EXIT_TEMPORARY } from './exit.ts'

const MEMO = 'accountsFrom'
/** A line of the program's own words is in it. */
const SHOWN = 1000

/** Why the last answer was not taken. */
export interface AskedTrouble {
  /** Null: nobody knows. */
  readonly sinceMs: number | null
  /** Safe to print. */
  readonly message: string
  /** `never`: somebody has to change something. */
  readonly retry: Retry
}

/** `tell` is called where it is news, or always (`always`: a person looks on). Null: nothing is wrong, which the log says once.
 *  Never rejects: at worst it is told twice. */
export async function tellTrouble(
  trouble: PopfetchError | null,
  {
    ledger,
    log,
    nowMs,
  }: { readonly ledger: Pick<Ledger, 'memo' | 'changeMemo'>; readonly log: Log; readonly nowMs: number },
  { always, tell }: { readonly always: boolean; readonly tell: (message: string) => void },
): Promise<void> {
  const was = await ledger.memo(MEMO).catch(() => null)
  const before = was === null ? null : read(was)
  const isNews = before?.retry !== trouble?.retry
  if (trouble !== null && (always || isNews)) tell(trouble.message)
  const now = trouble === null ? null : written(trouble, before?.sinceMs ?? nowMs)
  if (now === was) return
  if (isNews && trouble === null) log.info('accountsFrom works again')
  else if (isNews && trouble !== null) log.error(trouble.message, { error: trouble.code })
  await ledger.changeMemo(MEMO, () => now).catch(() => {})
}

/** Null: the last answer was taken, or nobody was asked. Rejects with ERR_LEDGER. */
export async function askedTrouble(ledger: Pick<Ledger, 'memo'>): Promise<AskedTrouble | null> {
  const memo = await ledger.memo(MEMO)
  return memo === null ? null : read(memo)
}

export function exitOfAsked({ retry }: AskedTrouble): number {
  return retry === 'never' ? EXIT_CONFIGURATION : EXIT_TEMPORARY
}

function written({ message, retry }: PopfetchError, sinceMs: number): string {
  return JSON.stringify({ retry, sinceMs, message: display(message, SHOWN) })
}

/** The version before wrote nothing but `soon` or `never`. */
function read(memo: string): AskedTrouble {
  const whole = { sinceMs: null, message: 'accountsFrom: what its program printed was not taken' }
  try {
    const { retry, sinceMs, message } = JSON.parse(memo) as Partial<Record<string, unknown>>
    return {
      retry: isRetry(retry) ? retry : 'soon',
      sinceMs: typeof sinceMs === 'number' ? sinceMs : null,
      message: typeof message === 'string' ? display(message, SHOWN) : whole.message,
    }
  } catch {
    return { ...whole, retry: isRetry(memo) ? memo : 'soon' }
  }
}

function isRetry(value: unknown): value is Retry {
  return value === 'soon' || value === 'later' || value === 'never'
}
