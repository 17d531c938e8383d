// `accountsFrom`: who asks, what is taken of the answer, and what is remembered of it (asked.ts, kept.ts).
import * as z from 'zod'
import { asPopfetchError } from '../../errors.ts'
import { keptAccounts, type Environment } from '../paths.ts'
import { accountsFrom } from '../schema.ts'
import { WITHOUT_COMPILING } from '../values/values.ts'
import { ASKED, isWritten } from '../values/written.ts'
import { accountsError, answerSource, askForAccounts } from './asked.ts'
import { filled } from './environment.ts'
import { type Kept, readKept, takeAnswer, type Taken, writeKept } from './kept.ts'
import type { Source } from './source.ts'

/** For whom the program is asked. `poll`: a run that polls, by which answers are counted and kept. `look`: a command that only looks. `kept`: it
 *  is not run, and what is kept must do. */
export type Purpose = 'poll' | 'look' | 'kept'

export interface Asking {
  readonly purpose: Purpose
  /** An answer that lacks many names is meant. */
  readonly yes: boolean
  readonly env: Environment
  readonly uid: number
  readonly statePath: string
  readonly signal: AbortSignal
  /** What the process remembers where nothing is kept in a file; null: nothing. */
  readonly memory: Memory | null
}

/** What a process that lives long remembers of answers. */
export interface Memory {
  kept: Kept | null
  /** The files as they were read last: when the program is asked again, nobody has said that a changed file is meant. */
  read: FilesRead | null
}

/** The files of a configuration, read and taken apart. */
export interface FilesRead {
  readonly file: string
  readonly main: Source
  readonly others: readonly Source[]
}

export interface Given {
  /** Null: there is nothing to take. */
  readonly source: Source | null
  readonly trouble: Taken['trouble']
}

/** What `accountsFrom` of this configuration gives; null: it is not written, or wrong, which its schema says. */
export async function accountsOf(main: Source, asking: Asking): Promise<Given | null> {
  const written = isWritten(main.root) ? main.root['accountsFrom'] : undefined
  if (written === undefined) return null
  const whole = filled(written, ['accountsFrom'], asking.env)
  const parsed = z.safeParse(accountsFrom(main.resolve), whole.value, WITHOUT_COMPILING)
  if (!parsed.success || whole.missing.length > 0) return null
  const { command, keep } = parsed.data
  const { purpose, yes, env, uid, statePath, signal, memory } = asking
  const file = keptAccounts({ statePath })
  const before = memory?.kept ?? (keep ? await readKept(file, { env, uid }) : null)
  if (purpose === 'kept') {
    if (before !== null) return { source: answerSource(before.good, main.resolve), trouble: null }
    return { source: null, trouble: accountsError(`${ASKED}: nothing is kept of what its program printed`, 'soon') }
  }
  const given = await askForAccounts(command, { env, signal }).catch((error: unknown) =>
    asPopfetchError(error, 'process'),
  )
  const counts = purpose === 'poll'
  const { answer, trouble, kept } = takeAnswer(before, given, { counts, meant: yes })
  if (counts && memory !== null) memory.kept = kept
  // Kept for later: a disk that is full must not keep mail from coming now.
  if (counts && keep) await writeKept(file, kept, before).catch(() => {})
  return { source: answer === null ? null : answerSource(answer, main.resolve), trouble }
}
