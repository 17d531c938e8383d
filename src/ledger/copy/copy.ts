// Fills an empty ledger with all of another one, of whatever kinds they are (`popfetch state copy`). At each moment at most one of
// the two can be used. The new one is filled and refuses everybody; what it has is read again and compared; the old one refuses from
// now on, and says where all of it went; then the new one may be used. Whoever is killed in between begins again: what was filled by half
// is filled anew, and where the old one refuses already, only the last step is left.
import { display } from '../../display.ts'
import { PopfetchError } from '../../errors.ts'
import { type CopiedCounts, type CopiedRow, Digest } from './copied.ts'

/** Nobody else has it as long as it is not disposed of. */
export interface CopySource extends AsyncDisposable {
  /** Where it is, for words. */
  readonly place: string
  /** It was copied already; null: it was not. */
  readonly movedTo: string | null
  /** All rows, in slices. Rejects with ERR_LEDGER. */
  rows(): AsyncIterable<readonly CopiedRow[]>
  /** From now on it refuses, and names the new place. Durable. */
  retire(to: string): Promise<void>
}

export interface CopyTarget extends AsyncDisposable {
  readonly place: string
  /** An earlier copy from there filled it, or began to, and did not end; null: none did. */
  readonly filledFrom: string | null
  /** Takes all rows, durably, in place of what an earlier copy left. Until `release` it refuses. Rejects with ERR_LEDGER where it is not
   *  empty. */
  fill(rows: AsyncIterable<readonly CopiedRow[]>, from: string): Promise<void>
  /** What it has. */
  rows(): AsyncIterable<readonly CopiedRow[]>
  /** It may be used. Durable. */
  release(): Promise<void>
}

/** Rejects with ERR_LEDGER, ERR_BUSY, ERR_CONFIG, and with the signal's reason. Then the source may be used as before, or, where that
 *  is said, the same command is to be run again. */
export async function copyLedger(
  source: CopySource,
  target: CopyTarget,
  { signal }: { readonly signal: AbortSignal },
): Promise<CopiedCounts> {
  const { movedTo } = source
  if (movedTo !== null && (movedTo !== target.place || target.filledFrom !== source.place))
    throw copyError('ERR_CONFIG', source.place, `all of it was copied to ${display(movedTo)} already`)
  const original = new Digest()
  const watched = watching(source.rows(), original, signal)
  if (movedTo === null) await target.fill(watched, source.place)
  else for await (const _ of watched);
  const copy = new Digest()
  for await (const _ of watching(target.rows(), copy, signal));
  if (copy.text !== original.text)
    throw copyError(
      'ERR_LEDGER',
      source.place,
      `the copy differs (${copy.text}; expected ${original.text}): please report this`,
    )
  signal.throwIfAborted()
  if (movedTo === null) await source.retire(target.place)
  await target.release()
  return copy.counts
}

async function* watching(
  rows: AsyncIterable<readonly CopiedRow[]>,
  digest: Digest,
  signal: AbortSignal,
): AsyncGenerator<readonly CopiedRow[], void, void> {
  for await (const slice of rows) {
    signal.throwIfAborted()
    digest.add(slice)
    yield slice
  }
}

export function copyError(
  code: 'ERR_LEDGER' | 'ERR_CONFIG' | 'ERR_BUSY',
  place: string,
  why: string,
  cause?: unknown,
): PopfetchError {
  const retry = code === 'ERR_BUSY' ? 'soon' : 'never'
  return new PopfetchError(code, `cannot copy the ledger ${display(place, 4096)}: ${why}`, {
    scope: 'process',
    retry,
    cause,
  })
}
