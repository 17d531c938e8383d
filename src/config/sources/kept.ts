// What `accountsFrom` printed last and was good: kept for a run in which the program fails, also over a start. An answer that
// lacks many names may be that of half a database: it is taken only when it stays so, or when somebody says that it is meant.
// Kept beside the ledger (0600): passwords may be in it.
import { createHash } from 'node:crypto'
import { rename, rm, writeFile } from 'node:fs/promises'
import { type PopfetchError } from '../../errors.ts'
import { ourUid, readOwnFile } from '../../own-file.ts'
import type { Environment } from '../paths.ts'
import { isWritten } from '../values/written.ts'
import { accountsError, type Answer, parseAnswer } from './asked.ts'

/** Fewer names, or a smaller share of them, leave on any day. */
const FEWEST_LACKING = 5
const SHARE_LACKING = 0.1
/** So often the same names must come. */
const RUNS = 3
/** Twice the longest answer: quotes are escaped. */
const LIMIT_BYTES = 64 * 1_048_576

export interface Kept {
  readonly good: Answer
  /** An answer that lacks many names, and how many runs in a row have had it; null: none is waited for. */
  readonly smaller: { readonly digest: string; readonly runs: number } | null
}

export interface Taken {
  /** What holds now; null: nothing. */
  readonly answer: Answer | null
  /** Why it is not what was printed; null: it is. */
  readonly trouble: PopfetchError | null
  /** What is to be kept. */
  readonly kept: Kept | null
}

/** `given`: what was printed, or why there is no answer. `counts`: this run is for polling. `meant`: somebody says so. Pure. */
export function takeAnswer(
  before: Kept | null,
  given: Answer | PopfetchError,
  { counts, meant }: { readonly counts: boolean; readonly meant: boolean },
): Taken {
  if (given instanceof Error) {
    // Three runs in a row: this one had no names.
    const kept = before === null || !counts ? before : { ...before, smaller: null }
    return { answer: before?.good ?? null, trouble: given, kept }
  }
  const { names } = given
  const found = new Set(names)
  const old = before?.good.names ?? []
  const lacking = old.filter((name) => !found.has(name))
  const isSmaller = lacking.length >= FEWEST_LACKING && lacking.length > SHARE_LACKING * old.length
  const isEmpty = names.length === 0
  if (meant || (!isSmaller && !isEmpty)) return { answer: given, trouble: null, kept: { good: given, smaller: null } }

  const digest = createHash('sha256').update(JSON.stringify(names.toSorted())).digest('hex')
  const runs = (before?.smaller?.digest === digest ? before.smaller.runs : 0) + (counts ? 1 : 0)
  if (before !== null && runs >= RUNS) return { answer: given, trouble: null, kept: { good: given, smaller: null } }
  const kept = before === null ? null : { ...before, smaller: { digest, runs } }
  return { answer: before?.good ?? null, trouble: smallerError(old.length, lacking.length, names.length), kept }
}

function smallerError(before: number, lacking: number, now: number): PopfetchError {
  const found = now === 0 ? 'no account' : `${now} accounts, without ${lacking} of the ${before} before`
  const holds =
    before === 0
      ? ''
      : '; the accounts before stay until the same names have come three times, or popfetch reload --yes'
  return accountsError(`accountsFrom: its program printed ${found}: check what it reads${holds}`, 'soon')
}

/** Null: nothing is kept, or others could have written it. */
export async function readKept(
  file: string,
  { env, uid }: { readonly env: Environment; readonly uid: number },
): Promise<Kept | null> {
  try {
    const bytes = await readOwnFile(file, { uid: ourUid(env, uid), limitBytes: LIMIT_BYTES })
    const found: unknown = JSON.parse(bytes?.toString('utf8') ?? 'null')
    if (!isWritten(found) || typeof found['answer'] !== 'string') return null
    const good = parseAnswer(found['answer'])
    const { smaller } = found
    const isSmaller = isWritten(smaller) && typeof smaller['digest'] === 'string' && typeof smaller['runs'] === 'number'
    return good === null
      ? null
      : { good, smaller: isSmaller ? { digest: String(smaller['digest']), runs: Number(smaller['runs']) } : null }
  } catch {
    return null
  }
}

/** Whole or not at all; nothing is written that is there already. Rejects with the system's error. */
export async function writeKept(file: string, kept: Kept | null, before: Kept | null): Promise<void> {
  if (kept === null) return await rm(file, { force: true })
  if (before !== null && kept.good.text === before.good.text && isSame(kept.smaller, before.smaller)) return
  const draft = `${file}.${process.pid}.new`
  await rm(draft, { force: true })
  await writeFile(draft, JSON.stringify({ answer: kept.good.text, smaller: kept.smaller }), { mode: 0o600, flag: 'wx' })
  await rename(draft, file)
}

function isSame(a: Kept['smaller'], b: Kept['smaller']): boolean {
  return a?.digest === b?.digest && a?.runs === b?.runs
}
