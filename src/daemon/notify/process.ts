// popfetch itself cannot work: its ledger, its configuration, a bug. The ledger may be out of reach then, so a file beside it
// (0600) remembers what was told. Such a trouble is told at once, then once a day, and once when popfetch works again. Nothing
// waits in it: what could not be told is told by the next try.
import { lstat, rm, writeFile } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { replaceFile, type Told } from '../../config/daemon/told.ts'
import { display } from '../../display.ts'
import { asPopfetchError, errnoOf } from '../../errors.ts'
import type { Log } from '../../log.ts'
import { ourUid, readOwnFile } from '../../own-file.ts'
import { directly } from './notify.ts'

/** A little less than a day: cron may start some seconds earlier than it did the day before. */
const REMINDER_MS = 23 * 3_600_000

const FAILURES: ReadonlySet<string> = new Set(['ERR_LEDGER', 'ERR_CONFIG', 'ERR_ACCOUNTS', 'ERR_BUG'])

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

type Failure = { readonly code: string; readonly message: string }

/** `error` null: it works. Never rejects. */
export async function tellProcess(error: Failure | null, context: ProcessContext): Promise<void> {
  const { configuration, log, signal } = context
  if (configuration.notify.length === 0) return
  const file = `${configuration.statePath}.told`
  try {
    if (!isNews(error, await read(file), context)) return
    // Two lines of cron begin in the same second: one of them tells.
    await using right = await rightTo(file, signal)
    const told = await read(file)
    if (right === null || !isNews(error, told, context)) return
    await tell(error, told, file, context)
  } catch (thrown) {
    log.warn('notices could not be sent', { error: asPopfetchError(thrown, 'process').message })
  }
}

function isNews(error: Failure | null, told: Memory | null, { nowMs }: ProcessContext): boolean {
  if (error === null || told === null) return error !== told
  const isFresh = nowMs >= told.atMs && nowMs - told.atMs < REMINDER_MS
  return told.code !== error.code || !isFresh
}

async function tell(error: Failure | null, told: Memory | null, file: string, context: ProcessContext): Promise<void> {
  const { nowMs } = context
  const item = {
    accounts: [],
    destination: '',
    code: error?.code ?? told?.code ?? '',
    message: error === null ? '' : display(error.message.split('\n', 2).join(' '), 1000),
    sinceMs: error === null ? (told?.atMs ?? null) : nowMs,
  }
  const isTold = await directly(error === null ? 'recovery' : 'process', item, context)
  if (!isTold) return
  if (error === null) await rm(file, { force: true })
  else await replaceFile(file, JSON.stringify({ code: error.code, atMs: nowMs } satisfies Memory))
}

/** Longer than a notice may take: whoever had the right is dead. */
const DEAD_MS = 60_000
const LOOK_MS = 200

/** The right to tell, for whoever disposes of it; null: `signal` came first. Waits while another process tells. */
async function rightTo(file: string, signal: AbortSignal): Promise<AsyncDisposable | null> {
  const lock = `${file}.lock`
  while (!signal.aborted) {
    try {
      await writeFile(lock, '', { mode: 0o600, flag: 'wx' })
      return { [Symbol.asyncDispose]: () => rm(lock, { force: true }) }
    } catch (error) {
      // Where nothing can be written nothing is remembered: told too often is better than never.
      if (errnoOf(error) !== 'EEXIST') return { [Symbol.asyncDispose]: () => Promise.resolve() }
    }
    const ageMs = await lstat(lock).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    )
    if (Math.abs(ageMs) > DEAD_MS) await rm(lock, { force: true })
    else await wait(LOOK_MS, undefined, { signal }).catch(() => {})
  }
  return null
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
