// popfetch itself cannot work: its ledger, its configuration, a bug. The ledger may be out of reach then, so a file beside it
// (0600) remembers what was told. Such a trouble is told at once, then once a day, and once when popfetch works again. Nothing
// waits in it: what could not be told is told by the next try.
import { rm } from 'node:fs/promises'
import { replaceFile, type Told } from '../../config/daemon/told.ts'
import { display } from '../../display.ts'
import { asPopfetchError } from '../../errors.ts'
import type { Log } from '../../log.ts'
import { ourUid, readOwnFile } from '../../own-file.ts'
import { directly } from './notify.ts'

/** A little less than a day: cron may start some seconds earlier than it did the day before. */
const REMINDER_MS = 23 * 3_600_000

const FAILURES: ReadonlySet<string> = new Set(['ERR_LEDGER', 'ERR_CONFIG', 'ERR_BUG'])

export interface ProcessContext {
  readonly configuration: Told
  readonly log: Log
  readonly env: NodeJS.ProcessEnv
  readonly nowMs: number
  readonly signal: AbortSignal
}

interface Memory {
  readonly code: string
  readonly atMs: number
}

/** Is this an error by which popfetch itself cannot work? */
export function isOfProcess(error: { readonly code: string }): boolean {
  return FAILURES.has(error.code)
}

/** `error` null: it works. Never rejects. */
export async function tellProcess(
  error: { readonly code: string; readonly message: string } | null,
  context: ProcessContext,
): Promise<void> {
  const { configuration, log, nowMs } = context
  if (configuration.notify.length === 0) return
  const file = `${configuration.statePath}.told`
  try {
    const told = await read(file)
    const isFresh = told !== null && nowMs >= told.atMs && nowMs - told.atMs < REMINDER_MS
    if (error === null ? told === null : told?.code === error.code && isFresh) return
    const message = error === null ? '' : display(error.message.split('\n', 2).join(' '), 1000)
    const code = error?.code ?? told?.code ?? ''
    const item = {
      accounts: [],
      destination: '',
      code,
      message,
      sinceMs: error === null ? (told?.atMs ?? null) : nowMs,
    }
    const isTold = await directly(error === null ? 'recovery' : 'process', item, context)
    if (!isTold) return
    if (error === null) await rm(file, { force: true })
    else await replaceFile(file, JSON.stringify({ code: error.code, atMs: nowMs } satisfies Memory))
  } catch (thrown) {
    log.warn('notices could not be sent', { error: asPopfetchError(thrown, 'process').message })
  }
}

/** Null: nothing was told, or nobody knows. */
async function read(file: string): Promise<Memory | null> {
  try {
    const bytes = await readOwnFile(file, { uid: ourUid(), limitBytes: 1000 })
    const { code, atMs } = JSON.parse(bytes?.toString('utf8') ?? '') as Partial<Memory>
    return typeof code === 'string' && typeof atMs === 'number' ? { code, atMs } : null
  } catch {
    return null
  }
}
