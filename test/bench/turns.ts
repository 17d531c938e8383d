// Contenders take turns: the first run of each, then the second of each …, so that a slow moment of the machine meets all of
// them. And each round begins with another, so that none always runs after the same one.
import type { Contender } from './contender.ts'
import type { Usage } from './measure.ts'
import type { Row } from './table.ts'

// A client that takes that long has no need of a median, and the bench has no time for one.
const LONG_RUN_SECONDS = 10

/** A contender that fails is out, and the others go on. Rejects between two runs when `signal` is aborted. */
export async function takeTurns(
  contenders: readonly Contender[],
  runs: number,
  signal: AbortSignal,
): Promise<readonly Row[]> {
  const rows = contenders.map((contender) => ({ contender, usages: [] as Usage[], error: null as string | null }))
  const attempt = async (row: (typeof rows)[number], step: () => Promise<void>): Promise<void> => {
    signal.throwIfAborted()
    if (row.error !== null) return
    await step().catch((thrown: unknown) => (row.error = thrown instanceof Error ? thrown.message : String(thrown)))
  }
  for (const row of rows) await attempt(row, () => row.contender.prepare())
  for (let round = 0; round < runs; round++) {
    const first = round % rows.length
    for (const row of [...rows.slice(first), ...rows.slice(0, first)]) {
      if ((row.usages[0]?.seconds ?? 0) > LONG_RUN_SECONDS) continue
      await attempt(row, async () => void row.usages.push(await row.contender.run()))
    }
  }
  return rows.map(({ contender, usages, error }) => ({ name: contender.name, usages, error }))
}
